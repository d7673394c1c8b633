import type { NativeFront } from '@rollcall/sip-net';
import type { METRICS, Metrics, Sample } from '@rollcall/telemetry';
import { STATUS_LIMIT } from './counters.ts';
import type { EdgeCounters } from './counters.ts';
import { REFUSAL_NAMES, REFUSALS } from './refusals.ts';

/** A bounded map, queue or pool (invariant 9): how full it is and how full it may get. */
export interface Bound {
  readonly queue: string;
  readonly limit: number;
  readonly size: () => number;
}

export interface Observed {
  readonly counters: EdgeCounters;
  readonly front: NativeFront;
  readonly bounds: readonly Bound[];
  readonly inner: readonly {
    readonly target: string;
    readonly stats: () => { readonly pending: number; readonly up: number };
  }[];
  readonly storeConnected: () => boolean;
}

/** Publishes what the edge counts; everything is read when somebody asks. */
export function publishMetrics(metrics: Metrics, names: typeof METRICS, observed: Observed): void {
  const { counters, front } = observed;
  metrics.collect(names.sipRequestsReceived, 'Requests received from phones.', 'counter', () =>
    labelled('method', counters.requests),
  );
  metrics.collect(names.sipResponsesSent, 'Answers sent to phones.', 'counter', () =>
    answers(counters.answers),
  );
  metrics.collect(names.sipRefusals, 'Requests refused by the edge, by rule.', 'counter', () =>
    REFUSAL_NAMES.map((name) => ({
      labels: { reason: REFUSALS[name].label },
      value: counters.refusals[name],
    })),
  );
  metrics.collect(names.digestOutcomes, 'Digest answers by outcome.', 'counter', () =>
    labelled('outcome', counters.digest),
  );
  metrics.collect(names.userCache, 'Users found in memory, and looked up.', 'counter', () =>
    labelled('result', { hit: counters.userHits, miss: counters.userMisses }),
  );
  metrics.collect(names.innerRequests, 'Requests handed to inner services, by outcome.', 'counter', () =>
    Object.entries(counters.inner).flatMap(([target, outcomes]) =>
      Object.entries(outcomes).map(([outcome, value]) => ({ labels: { target, outcome }, value })),
    ),
  );
  metrics.collect(
    names.sipRequestsSent,
    'Requests from inside sent to phones, and those whose flow was gone.',
    'counter',
    () => labelled('outcome', { sent: counters.delivered, 'flow-failed': counters.flowsGone }),
  );
  metrics.collect(names.innerPending, 'Requests that wait for an inner service.', 'gauge', () =>
    observed.inner.map(({ target, stats }) => ({ labels: { target }, value: stats().pending })),
  );
  metrics.collect(names.innerConnections, 'Connections to inner services.', 'gauge', () =>
    observed.inner.map(({ target, stats }) => ({ labels: { target }, value: stats().up })),
  );
  publishTransport(metrics, names, front);
  metrics.collect(names.boundSize, 'Entries of a bounded structure.', 'gauge', () =>
    observed.bounds.map(({ queue, size }) => ({ labels: { queue }, value: size() })),
  );
  metrics.collect(names.boundLimit, 'Most entries of a bounded structure.', 'gauge', () =>
    observed.bounds.map(({ queue, limit }) => ({ labels: { queue }, value: limit })),
  );
  metrics.gauge(names.storeConnected, 'Whether the store is connected.', () =>
    observed.storeConnected() ? 1 : 0,
  );
}

function publishTransport(metrics: Metrics, names: typeof METRICS, front: NativeFront): void {
  metrics.collect(names.sipMalformed, 'Messages that were no SIP or broke its rules.', 'counter', () => {
    const { malformedRefused, malformedDropped, tooLarge, notSip, closedFraming } = front.counters;
    return labelled('reason', {
      refused: malformedRefused,
      dropped: malformedDropped,
      'too-large': tooLarge,
      'not-sip': notSip,
      framing: closedFraming,
    });
  });
  metrics.collect(
    names.sipRetransmissionsAbsorbed,
    'Retransmissions answered from a transaction.',
    'counter',
    () => [{ value: front.counters.retransmissionsAbsorbed }],
  );
  metrics.collect(names.sipTransactions, 'Transactions by state.', 'gauge', () => {
    const { pending, completed, invites, clients } = front.sizes();
    return labelled('kind', { pending, completed, invites, clients });
  });
  metrics.gauge(names.sipFlows, 'Stream connections to phones.', () => front.sizes().connections);
}

function labelled(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

function answers(byStatus: Float64Array): Sample[] {
  const samples: Sample[] = [];
  for (let status = 0; status < STATUS_LIMIT; status += 1) {
    const value = byStatus[status] ?? 0;
    if (value > 0) samples.push({ labels: { status }, value });
  }
  return samples;
}
