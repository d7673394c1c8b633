import type { InnerLinkStats, NativeFront } from '@rollcall/sip-net';
import type { EdgeStatus } from '@rollcall/trace';
import type { EdgeCounters } from '../counters.ts';
import { REFUSAL_NAMES, REFUSALS } from '../refusals.ts';
import type { EdgeTrace } from './edge-trace.ts';

export interface StatusSources {
  readonly identity: { readonly id: string; readonly epoch: number };
  readonly front: NativeFront;
  readonly counters: EdgeCounters;
  readonly inner: Readonly<Record<string, () => InnerLinkStats>>;
  readonly trace: EdgeTrace;
  readonly ready: () => { readonly ok: boolean; readonly reason?: string };
  readonly storeConnected: () => boolean;
}

const US_PER_S = 1_000_000;

/** Reads the status of this edge. */
export function readStatus(sources: StatusSources): EdgeStatus {
  const { identity, front, counters, inner, trace } = sources;
  const { user, system } = process.cpuUsage();
  const listeners = front.listeners.map(({ transport, local }) => ({ transport, ...addressOf(local) }));
  return {
    ...identity,
    ready: sources.ready(),
    storeConnected: sources.storeConnected(),
    listeners: [...new Map(listeners.map((one) => [JSON.stringify(one), one])).values()],
    requests: { ...counters.requests },
    answers: answersOf(counters.answers),
    refusals: refusalsOf(counters),
    delivered: counters.delivered,
    flows: { ...front.flowCounts() },
    transactions: front.sizes().pending + front.sizes().invites + front.sizes().clients,
    inner: Object.fromEntries(
      Object.entries(inner).map(([target, stats]) => {
        const { up, connections, pending } = stats();
        return [target, { up, connections, pending }];
      }),
    ),
    trace: {
      entries: trace.ring.size,
      bytes: trace.ring.bytes,
      kept: trace.recorder.kept,
      percent: trace.sampler.percent,
      active: trace.recorder.traces().length,
    },
    cpu: (user + system) / US_PER_S,
    memory: process.memoryUsage.rss(),
  };
}

const addressOf = ({
  address,
  port,
}: {
  address: string;
  port: number;
}): { address: string; port: number } => ({
  address,
  port,
});

function answersOf(byStatus: Float64Array): Record<string, number> {
  const answers: Record<string, number> = {};
  for (const [status, count] of byStatus.entries()) if (count > 0) answers[String(status)] = count;
  return answers;
}

function refusalsOf({ refusals }: EdgeCounters): Record<string, number> {
  const counted: Record<string, number> = {};
  for (const name of REFUSAL_NAMES) {
    if (refusals[name] > 0) counted[REFUSALS[name].label] = refusals[name];
  }
  return counted;
}
