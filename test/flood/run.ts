import { setTimeout as sleep } from 'node:timers/promises';
import { ALICE, TestSystem, type Account } from '@rollcall/testkit';
import { CallFlood, type FloodResult } from './call-flood.ts';

export interface FloodedOptions {
  readonly rate: number;
  readonly seconds: number;
  readonly users: number;
  readonly edges: number;
  /** The flood is repeated so often: memory that grows from round to round is lost. */
  readonly rounds: number;
}

export interface FloodReport {
  readonly floods: readonly FloodResult[];
  /** Transactions of all edges when the last timers are over; the ring of answered ones is not among them. */
  readonly transactionsLeft: number;
  readonly busyFlows: number;
  /** Resident memory of each edge, MiB: before, every five seconds of each round, and when the timers after it are over. */
  readonly memory: readonly {
    readonly before: number;
    readonly rounds: readonly { readonly during: readonly number[]; readonly idle: number }[];
  }[];
}

/** Timers D, H, J, L and M of RFC 3261 and RFC 6026 all end within 64*T1. */
const TIMERS_MS = 33_000;
const POLL_MS = 500;
const SAMPLE_MS = 5_000;
const MIB = 1_048_576;

/** Runs a flood against a system of its own. */
export async function flooded({ rate, seconds, users, edges, rounds }: FloodedOptions): Promise<FloodReport> {
  const callees: Account[] = Array.from({ length: users }, (_, i) => ({
    user: `callee${String(i)}`,
    password: `secret-${String(i)}`,
  }));
  const system = await TestSystem.start({ accounts: [ALICE, ...callees], replicas: { edge: edges } });
  const names = Array.from({ length: edges }, (_, i) => `edge-${String(i + 1)}`);
  const memory = (): Promise<number[]> =>
    Promise.all(
      names.map(async (name) =>
        Math.round((await system.metrics(name)).sum('process_resident_memory_bytes') / MIB),
      ),
    );
  const transactions = async (): Promise<number> => {
    const kinds = ['pending', 'invites', 'clients'];
    const counts = await Promise.all(
      kinds.map((kind) => system.metric('edge', 'rollcall_sip_transactions', { kind })),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  };
  const flood = new CallFlood({
    edges: names.map((_, i) => system.sip('udp', i + 1)),
    domain: system.domain,
    caller: ALICE,
    callees,
    rate,
    seconds,
  });
  try {
    await flood.prepare();
    const before = await memory();
    const floods: FloodResult[] = [];
    const samples: number[][][] = [];
    const idle: number[][] = [];
    for (let round = 0; round < rounds; round += 1) {
      const during: number[][] = [];
      const sampling = setInterval(() => {
        memory().then(
          (sample) => during.push(sample),
          () => undefined,
        );
      }, SAMPLE_MS);
      floods.push(await flood.run());
      clearInterval(sampling);
      const until = performance.now() + TIMERS_MS * 2;
      while ((await transactions()) > 0 && performance.now() < until) await sleep(POLL_MS);
      samples.push(during);
      idle.push(await memory());
    }
    return {
      floods,
      transactionsLeft: await transactions(),
      busyFlows: await system.metric('edge', 'rollcall_proxy_busy_flows'),
      memory: names.map((_, edge) => ({
        before: before[edge] ?? 0,
        rounds: samples.map((during, round) => ({
          during: during.map((sample) => sample[edge] ?? 0),
          idle: idle[round]?.[edge] ?? 0,
        })),
      })),
    };
  } finally {
    flood.close();
    await system.stop();
  }
}
