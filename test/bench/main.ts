import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildGenerator, MODES, runLoad } from './generator.ts';
import { readOptions, usage, type BenchOptions, type Transport } from './options.ts';
import { Peer, serves } from './peers.ts';
import { busySeconds, cpuSeconds, residentMemory } from './processes.ts';
import { summarise } from './profile.ts';
import { table, type Measurement } from './report.ts';

const WORK = resolve('.bench');
const PACKAGES =
  'kamailio kamailio-redis-modules kamailio-presence-modules kamailio-extra-modules kamailio-utils-modules kamailio-outbound-modules redis-server libssl-dev gcc libc6-dev';

/** One closed-loop run; the processes' time is read before and after. */
async function measure(
  peer: Peer,
  { scenario, transport }: { readonly scenario: string; readonly transport: Transport },
  outstanding: number,
  options: BenchOptions,
  binary: string,
): Promise<Measurement> {
  const mode = MODES[scenario];
  if (mode === undefined)
    throw new RangeError(`no scenario "${scenario}"; there are ${Object.keys(MODES).join(', ')}`);
  const pids = peer.pids();
  const [cpu, redisCpu, busy] = [cpuSeconds(pids), cpuSeconds([peer.redis?.pid ?? 0]), busySeconds()];
  const load = {
    port: peer.portOf(transport),
    mode,
    transport,
    users: options.users,
    outstanding,
    seconds: options.seconds,
  };
  const began = performance.now();
  const result = await runLoad(binary, load);
  const elapsed = (performance.now() - began) / 1000;
  const services = cpuSeconds(pids) - cpu;
  const redis = cpuSeconds([peer.redis?.pid ?? 0]) - redisCpu;
  const perCall = (seconds: number): number => (seconds * 1e6) / Math.max(1, result.ok);
  return {
    peer: peer.name,
    scenario,
    transport,
    outstanding,
    calls: result.ok,
    failed: result.failed,
    retrans: result.retrans,
    callsPerSecond: result.calls_per_s,
    requestsPerSecond: result.requests_per_s,
    servicesUs: perCall(services),
    redisUs: perCall(redis),
    p50Ms: result.call_us.p50 / 1000,
    p99Ms: result.call_us.p99 / 1000,
    generatorUs: perCall(result.gen_cpu),
    foreignCores: Math.max(0, (busySeconds() - busy - services - redis - result.gen_cpu) / elapsed),
    node: options.node,
  };
}

/** Fresh servers for each scenario and round, so that no peer profits from what an earlier run left behind. */
async function runRounds(options: BenchOptions, binary: string): Promise<Measurement[]> {
  const runs: Measurement[] = [];
  const cases = options.transports.flatMap((transport) =>
    options.scenarios.map((scenario) => ({ scenario, transport })),
  );
  for (let round = 0; round < options.rounds; round++) {
    for (const one of cases) {
      for (const name of options.peers.filter((peer) => serves(peer, one.transport)))
        runs.push(...(await runPeer(name, one, options, binary)));
    }
  }
  return runs;
}

/** Warms a fresh peer up and measures it at each number of outstanding calls. */
async function runPeer(
  name: string,
  { scenario, transport }: { readonly scenario: string; readonly transport: Transport },
  options: BenchOptions,
  binary: string,
): Promise<Measurement[]> {
  const runs: Measurement[] = [];
  const peer = await Peer.start(name, options, WORK, name === 'rollcall' ? options.profile : '');
  try {
    const warm = {
      ...{ port: peer.portOf(transport), mode: MODES[scenario] ?? 'reg', transport, users: options.users },
      ...(options.warm > 0 ? { calls: options.warm, seconds: 120 } : { seconds: 3 }),
    };
    await runLoad(binary, { ...warm, outstanding: 32 });
    for (const outstanding of options.outstanding) {
      const run = await measure(peer, { scenario, transport }, outstanding, options, binary);
      runs.push(run);
      appendFileSync(options.out, `${JSON.stringify(run)}\n`);
      const { callsPerSecond, servicesUs, redisUs, failed, foreignCores } = run;
      console.log(
        `${name} ${scenario} ${transport} ${String(outstanding)}: ${callsPerSecond.toFixed(0)}/s, ${servicesUs.toFixed(0)} + ${redisUs.toFixed(0)} µs, failed ${String(failed)}, others ${foreignCores.toFixed(2)} cores`,
      );
    }
  } finally {
    await peer.stop();
  }
  return runs;
}

/** Stores N bindings, reads what Redis took for each, and each service's resident memory before and after. */
async function runMemory(options: BenchOptions, binary: string): Promise<void> {
  for (const name of options.peers) {
    const peer = await Peer.start(name, options, WORK);
    try {
      const users = options.memory;
      const load = {
        port: peer.port,
        mode: 'reg',
        transport: 'udp' as const,
        users,
        outstanding: 64,
        seconds: 600,
      };
      await sleep(1000);
      const before = peer.redis?.usedMemory() ?? 0;
      const rows = (): string => peer.pids().map(residentMemory).filter((row) => row !== undefined).map((row) => `${row.name} ${row.mib.toFixed(0)}`).join(', '); // prettier-ignore
      console.log(`${name}: resident MiB before: ${rows()}`);
      const result = await runLoad(binary, { ...load, calls: options.memory });
      await sleep(2000);
      const bytes = ((peer.redis?.usedMemory() ?? 0) - before) / options.memory;
      console.log(
        `${name}: ${String(result.ok)} stored, ${String(result.failed)} failed; ${bytes.toFixed(0)} bytes in Redis for each binding`,
      );
      console.log(`${name}: resident MiB after:  ${rows()}`);
      for (let again = 1; again <= 2; again++) {
        await runLoad(binary, { ...load, calls: options.memory });
        console.log(`${name}: resident MiB after ${String(again)} more of the same: ${rows()}`);
      }
    } finally {
      await peer.stop();
    }
  }
}

async function main(): Promise<void> {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    console.log(usage);
    return;
  }
  const options = readOptions(process.argv.slice(2));
  mkdirSync(WORK, { recursive: true });
  if (options.install)
    execFileSync('sh', ['-c', `apt-get update -qq && apt-get install -y -qq ${PACKAGES}`], {
      stdio: 'inherit',
    });
  const binary = buildGenerator(WORK);
  if (options.memory > 0) {
    await runMemory(options, binary);
    return;
  }
  const runs = await runRounds(options, binary);
  console.log(`\nNode of the services: ${options.node}; medians of ${String(options.rounds)} rounds\n`);
  console.log(table(runs));
  if (options.profile !== '') console.log(summarise(options.profile));
}

await main();
