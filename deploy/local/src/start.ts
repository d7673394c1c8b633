import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readArgs, USAGE, type StartArgs } from './args.ts';
import { playDemo } from './demo.ts';
import { planSystem, REDIS_OFFSET, type Plan } from './plan.ts';
import { firstBusy } from './ports.ts';
import { findRedisServer } from './redis/find.ts';
import { answersPing, startRedis, type RedisInstance } from './redis/instance.ts';
import { localCertificate } from './certificate.ts';
import { keptSecrets } from './secrets.ts';
import { StartProblem, System } from './system.ts';
import { createUsers, DEMO_ACCOUNTS, DEMO_DOMAIN, numberedAccounts } from './users.ts';
import { welcome } from './welcome.ts';

const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 64;
const PARENT_POLL_MS = 1000;

const say = (line: string) => process.stderr.write(`rollcall: ${line}\n`);

/** What `npm start` has started so far, so that one place can stop it. */
interface Running {
  redis?: RedisInstance;
  system?: System;
}

/** `npm start`. Resolves with the exit code. */
export async function main(root: string, argv: readonly string[]): Promise<number> {
  const read = readArgs(argv, process.execPath);
  if (!read.ok) {
    say(`${read.error} (npm start -- --help lists the options)`);
    return EXIT_USAGE;
  }
  const args = read.value;
  if (args.help) {
    process.stdout.write(USAGE);
    return EXIT_OK;
  }
  process.env['OTEL_TRACES_EXPORTER'] ??= 'none';
  const stopped = stopSignal();
  const running: Running = {};
  try {
    const up = bringUp(root, args, running);
    // A Ctrl-C while things start ends the start as well.
    const outcome = await Promise.race([up, stopped.then(() => undefined)]);
    if (outcome === undefined) return EXIT_OK;
    if (args.demo) {
      const [alice] = DEMO_ACCOUNTS;
      if (alice !== undefined) await playDemo(args.host, args.portBase, DEMO_DOMAIN, alice);
      return EXIT_OK;
    }
    announce(args, outcome);
    await stopped;
    return EXIT_OK;
  } catch (error) {
    if (!(error instanceof StartProblem)) throw error;
    say(error.message);
    return EXIT_FAILED;
  } finally {
    if (!args.demo) say('stopping');
    await running.system?.stop();
    await running.redis?.stop();
  }
}

interface Up {
  readonly plan: Plan;
  readonly redisUrl: string;
  readonly ownRedis: boolean;
  /** PEM file of the authority that signed the certificate of TLS and WSS. */
  readonly authority: string;
}

async function bringUp(root: string, args: StartArgs, running: Running): Promise<Up> {
  const folder = join(root, '.rollcall', String(args.portBase));
  mkdirSync(folder, { recursive: true });
  const given = args.redis ?? process.env['REDIS_URL'];
  const ownRedis = given === undefined || given === '';
  const redisPort = args.portBase + REDIS_OFFSET;
  const redisUrl = ownRedis ? `redis://127.0.0.1:${redisPort}` : given;
  const { secret, adminToken } = keptSecrets(folder);
  const { host, portBase, replicas } = args;
  const certificate = localCertificate(join(folder, 'tls'), DEMO_DOMAIN, host);
  const plan = planSystem({ host, portBase, replicas, redisUrl, secret, adminToken, certificate });
  await refuseBusyPorts(plan, ownRedis ? redisPort : undefined);
  if (ownRedis) running.redis = await ownInstance(root, folder, redisPort);
  else await refuseMissingRedis(redisUrl);
  // Phones that cannot be told an outbound proxy take the address for the domain.
  await createUsers(redisUrl, DEMO_DOMAIN, accounts(args.users), [host]);
  running.system = new System(plan, {
    root,
    folder: join(folder, 'logs'),
    node: args.node,
    restart: true,
    say,
  });
  await running.system.start();
  return { plan, redisUrl, ownRedis, authority: certificate.authority };
}

function* accounts(count: number) {
  yield* DEMO_ACCOUNTS;
  yield* numberedAccounts(count);
}

async function refuseBusyPorts(plan: Plan, redisPort: number | undefined): Promise<void> {
  const wanted = plan.services.flatMap((service) => service.ports);
  const redis =
    redisPort === undefined ? [] : [{ transport: 'tcp' as const, host: '127.0.0.1', port: redisPort }];
  const busy = await firstBusy([...wanted, ...redis]);
  if (busy === undefined) return;
  if (busy.code === 'EADDRNOTAVAIL')
    throw new StartProblem(`--host: ${busy.host} is not an address of this machine`);
  if (busy.code === 'EACCES')
    throw new StartProblem(
      `port ${busy.port}/${busy.transport} is not for this user; choose --port-base above 1023`,
    );
  throw new StartProblem(
    `port ${busy.port}/${busy.transport} on ${busy.host} is busy; stop what uses it or choose another block with --port-base`,
  );
}

async function refuseMissingRedis(url: string): Promise<void> {
  const { hostname, port } = parseRedisUrl(url);
  if (await answersPing(hostname, port)) return;
  throw new StartProblem(`no Redis answers at ${hostname}:${port} (--redis or REDIS_URL)`);
}

const REDIS_PORT = 6379;

function parseRedisUrl(url: string): { hostname: string; port: number } {
  if (!URL.canParse(url))
    throw new StartProblem(`"${url}" is not a Redis URL such as redis://127.0.0.1:6379`);
  const { hostname, port, protocol } = new URL(url);
  if (!/^rediss?:$/.test(protocol))
    throw new StartProblem(`"${url}" is not a Redis URL such as redis://127.0.0.1:6379`);
  return { hostname, port: port === '' ? REDIS_PORT : Number(port) };
}

async function ownInstance(root: string, folder: string, port: number): Promise<RedisInstance> {
  const server = findRedisServer({ root, env: process.env, say });
  if (server === undefined) {
    throw new StartProblem(
      'no Redis found: install redis-server, or name one with --redis redis://HOST:PORT',
    );
  }
  try {
    return await startRedis(server, {
      port,
      folder: join(folder, 'redis'),
      logFile: join(folder, 'redis.log'),
    });
  } catch (error) {
    throw new StartProblem(error instanceof Error ? error.message : String(error));
  }
}

function announce(args: StartArgs, { plan, redisUrl, ownRedis, authority }: Up): void {
  if (args.json) {
    const { sip, admin } = plan;
    process.stdout.write(
      `${JSON.stringify({ ready: true, sip, admin, domain: DEMO_DOMAIN, redis: redisUrl, tlsAuthority: authority })}\n`,
    );
    say('ready');
  } else {
    process.stdout.write(welcome({ plan, redisUrl, ownRedis, authority, users: args.users }));
  }
}

/** Settles at Ctrl-C, SIGTERM, SIGHUP, or when the npm that started us is gone. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
    if (process.env['npm_lifecycle_event'] === undefined) return;
    // npm may have put a shell between itself and us: watch both.
    const parents = ancestry();
    setInterval(() => {
      if (ancestry().join() !== parents.join()) resolve();
    }, PARENT_POLL_MS).unref();
  });
}

/** Our parent and, where /proc tells, its parent. */
function ancestry(): number[] {
  const parent = process.ppid;
  try {
    // The command stands in brackets and may hold anything; the parent is the second field behind it.
    const fields = readFileSync(`/proc/${parent}/stat`, 'utf8').split(') ').at(-1)?.split(' ');
    return [parent, Number(fields?.[1])];
  } catch {
    return [parent];
  }
}
