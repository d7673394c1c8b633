/**
 * CPU per request of this package on the paths that decide the price of a REGISTER. Everything runs on loopback; the load comes
 * from another process and is not counted.
 *
 *   node --import tsx --conditions=@rollcall/source libs/sip-net/bench/main.ts [requests] [name]
 *
 * echo-udp    datagram → parse, check, match → respondStateless          (the 401)
 * answer-udp  the same with a transaction that keeps its answer           (timer J)
 * inner       request → inner link → inner server → answer, both ends     (no UDP)
 * forward     datagram → edit → inner link → server in another process → edit → respond   (the 200)
 */
import { fork, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { epochMs } from '@rollcall/kernel';
import { edit, type SipRequest } from '@rollcall/sip';
import type { ServerTransaction } from '@rollcall/sip-transaction';
import {
  answer,
  createInnerLink,
  createInnerServer,
  createSipFront,
  type InnerLink,
  newToken,
  staticReplicas,
  viaWithSource,
} from '../src/index.ts';

const REQUESTS = Number(process.argv[2] ?? 100_000);
const OUTSTANDING = 64;
const HOST = '127.0.0.1';
const clock = { now: () => epochMs(Date.now()) };

interface Figures {
  readonly perSecond: number;
  readonly user: number;
  readonly system: number;
}

async function load(port: number): Promise<{ answered: number; perSecond: number }> {
  const script = fileURLToPath(new URL('load.ts', import.meta.url));
  const child = spawn(process.execPath, [
    '--import',
    'tsx',
    script,
    String(port),
    String(REQUESTS),
    String(OUTSTANDING),
  ]);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await new Promise((resolve) => child.once('exit', resolve));
  return JSON.parse(output) as { answered: number; perSecond: number };
}

async function overUdp(onRequest: (transaction: ServerTransaction) => void): Promise<Figures> {
  const front = createSipFront({ listeners: [{ transport: 'udp', host: HOST, port: 0 }], clock });
  await front.start({ onRequest, onAck: () => undefined });
  const port = front.listeners[0]?.local.port ?? 0;
  await load(port); // warm
  const before = process.cpuUsage();
  const { answered, perSecond } = await load(port);
  const { user, system } = process.cpuUsage(before);
  await front.stop();
  return { perSecond, user: user / answered, system: system / answered };
}

const stateless = (transaction: ServerTransaction): void => {
  transaction.respondStateless(answer(transaction.request, transaction.flow, 401, { toTag: newToken() }));
};
const stateful = (transaction: ServerTransaction): void => {
  transaction.respond(200, answer(transaction.request, transaction.flow, 200, { toTag: newToken() }));
};

function forwardOver(
  link: InnerLink,
  request: SipRequest,
  topVia: string | undefined,
  done: (response: string, status: number) => void,
): void {
  const branch = `z9hG4bK${newToken()}`;
  const message = edit(request, { topVia, prepend: `Via: SIP/2.0/TCP ${HOST}:5070;branch=${branch}\r\n` });
  link.request(request.requestUri, branch, message, (outcome) => {
    if (outcome.kind === 'response')
      done(edit(outcome.response, { dropFirst: ['via'] }), outcome.response.status);
    else done('', 503);
  });
}

async function innerHop(): Promise<Figures> {
  const server = await serve();
  const link = createInnerLink({
    replicas: staticReplicas([{ host: HOST, port: server.port }]),
    timeoutMs: 5000,
    maxPending: 10_000,
  });
  await link.start();
  const sample = (n: number): string =>
    `REGISTER sip:example.test SIP/2.0\r\nVia: SIP/2.0/TCP ${HOST}:5070;branch=z9hG4bKin${String(n)}\r\n` +
    `Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-bench-${String(n)};received=192.0.2.1;rport=5060\r\nMax-Forwards: 69\r\n` +
    `From: <sip:alice@example.test>;tag=a\r\nTo: <sip:alice@example.test>\r\nCall-ID: b-${String(n)}@example.test\r\nCSeq: 1 REGISTER\r\n` +
    'Contact: <sip:alice@192.0.2.1:5060>;expires=3600\r\nPath: <sip:token@192.0.2.9:5060;lr;ob>\r\nContent-Length: 0\r\n\r\n';
  const run = (total: number): Promise<void> =>
    new Promise((resolve) => {
      let sent = 0;
      let done = 0;
      const next = (): void => {
        const n = sent++;
        link.request('sip:alice@example.test', `z9hG4bKin${String(n)}`, sample(n), () => {
          done += 1;
          if (sent < total) next();
          else if (done === total) resolve();
        });
      };
      for (let i = 0; i < OUTSTANDING; i += 1) next();
    });
  await run(REQUESTS);
  const before = process.cpuUsage();
  const started = Date.now();
  await run(REQUESTS);
  const { user, system } = process.cpuUsage(before);
  const perSecond = Math.round(REQUESTS / ((Date.now() - started) / 1000));
  link.close();
  await server.close();
  return { perSecond, user: user / REQUESTS, system: system / REQUESTS };
}

const serve = () =>
  createInnerServer({
    host: HOST,
    port: 0,
    onRequest: (request, reply) => {
      reply(answer(request, { remote: { address: HOST, port: 5070 } } as never, 200, { toTag: 'bench' }));
    },
  });

async function forward(): Promise<Figures> {
  const child = fork(fileURLToPath(import.meta.url), ['serve'], { execArgv: process.execArgv });
  const port = await new Promise<number>((resolve) =>
    child.once('message', (message) => {
      resolve(message as number);
    }),
  );
  const link = createInnerLink({
    replicas: staticReplicas([{ host: HOST, port }]),
    timeoutMs: 5000,
    maxPending: 10_000,
  });
  await link.start();
  const figures = await overUdp((transaction) => {
    forwardOver(
      link,
      transaction.request,
      viaWithSource(transaction.request, transaction.flow),
      (response, status) => {
        transaction.respond(status, response);
      },
    );
  });
  link.close();
  child.kill();
  return figures;
}

function show(name: string, { perSecond, user, system }: Figures): void {
  const total = (user + system).toFixed(1);
  process.stdout.write(
    `${name.padEnd(12)} ${total.padStart(7)} us/request (user ${user.toFixed(1)}, system ${system.toFixed(1)})  ${String(perSecond)}/s\n`,
  );
}

if (process.argv[2] === 'serve') {
  const server = await serve();
  process.send?.(server.port);
} else {
  const benches = {
    'echo-udp': () => overUdp(stateless),
    'answer-udp': () => overUdp(stateful),
    inner: innerHop,
    forward,
  };
  for (const [name, run] of Object.entries(benches)) {
    if (process.argv[3] === undefined || process.argv[3] === name) show(name, await run());
  }
}
