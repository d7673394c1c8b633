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
    readonly rounds: readonly {
      readonly during: readonly number[];
      /** MiB of heap in use at the same moments, with what the collector has not yet taken away. */
      readonly heap: readonly number[];
      readonly idle: number;
      /** Where it was when there were most transactions. */
      readonly peak: Peak;
    }[];
  }[];
}

/** One edge at one moment: MiB, and the number of transactions. */
export interface Peak {
  readonly resident: number;
  readonly heapUsed: number;
  /** Octets outside of the heap: the ring of answers, what waits in sockets. */
  readonly external: number;
  readonly transactions: number;
}

const NOTHING: Peak = { resident: 0, heapUsed: 0, external: 0, transactions: 0 };

/** Timers D, H, J, L and M of RFC 3261 and RFC 6026 all end within 64*T1. */
const TIMERS_MS = 33_000;
/** Transactions that are an object each; the completed ones lie in the ring of answers. */
const KINDS = ['pending', 'invites', 'clients'];
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
  const look = (): Promise<Peak[]> =>
    Promise.all(
      names.map(async (name) => {
        const samples = await system.metrics(name);
        const mib = (metric: string): number => Math.round(samples.sum(metric) / MIB);
        return {
          resident: mib('process_resident_memory_bytes'),
          heapUsed: mib('nodejs_heap_size_used_bytes'),
          external: mib('nodejs_external_memory_bytes'),
          transactions: KINDS.reduce(
            (sum, kind) => sum + samples.sum('rollcall_sip_transactions', { kind }),
            0,
          ),
        };
      }),
    );
  const memory = async (): Promise<number[]> => (await look()).map(({ resident }) => resident);
  const transactions = async (): Promise<number> => {
    const counts = await Promise.all(
      KINDS.map((kind) => system.metric('edge', 'rollcall_sip_transactions', { kind })),
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
    const samples: Peak[][][] = [];
    const idle: number[][] = [];
    for (let round = 0; round < rounds; round += 1) {
      const during: Peak[][] = [];
      const sampling = setInterval(() => {
        look().then(
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
          during: during.map((sample) => sample[edge]?.resident ?? 0),
          heap: during.map((sample) => sample[edge]?.heapUsed ?? 0),
          idle: idle[round]?.[edge] ?? 0,
          peak: during
            .map((sample) => sample[edge] ?? NOTHING)
            .reduce((most, one) => (one.transactions > most.transactions ? one : most), NOTHING),
        })),
      })),
    };
  } finally {
    flood.close();
    await system.stop();
  }
}
