import type { NativeFront } from '@rollcall/sip-net';
import type { METRICS, Metrics, Sample } from '@rollcall/telemetry';
import type { EdgeCore } from './core.ts';
import { STATUS_LIMIT } from './counters.ts';
import type { EdgeCounters } from './counters.ts';
import { REFUSAL_NAMES, REFUSALS } from './refusals.ts';
import { labelled, publishTransport } from './transport-metrics.ts';

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

/** Publishes what is done for calls and against abuse. */
export function publishCallMetrics(metrics: Metrics, names: typeof METRICS, core: EdgeCore): void {
  const { guard, admission, busy, reports, waker, offline, qualifier, dialogs } = core;
  metrics.collect(names.guardBans, 'Addresses banned for a time.', 'counter', () =>
    labelled('reason', { guessing: guard.counters.guessing, scanning: guard.counters.scanning }),
  );
  metrics.gauge(names.guardBannedAddresses, 'Addresses that are banned now.', () => guard.banned());
  metrics.gauge(
    names.overload,
    'Share of new work that is refused for overload.',
    () => admission.refusedShare,
  );
  metrics.gauge(names.proxyBusyFlows, 'Flows with proxied requests in progress.', () => busy.size);
  metrics.collect(names.flowReports, 'Reports to registrars on flows of bindings.', 'counter', () => [
    { value: reports.sent },
  ]);
  if (waker !== undefined)
    metrics.collect(names.pushRequests, 'Push notifications, by what came of them.', 'counter', () =>
      labelled('outcome', { ...waker.counters }),
    );
  if (offline !== undefined)
    metrics.collect(names.offlineMessages, 'Messages for users who are away.', 'counter', () =>
      labelled('outcome', { ...offline.counters }),
    );
  if (dialogs !== undefined)
    metrics.collect(names.dialogPublications, 'States of dialogs told to presence.', 'counter', () =>
      labelled('outcome', { ...dialogs.counters }),
    );
  if (qualifier === undefined) return;
  metrics.collect(names.qualifyRequests, 'Pings of devices, by outcome.', 'counter', () =>
    labelled('outcome', { ...qualifier.counters }),
  );
  metrics.collect(names.qualifyBindings, 'Bindings by what the last ping found.', 'gauge', () =>
    labelled('state', qualifier.reachable()),
  );
  const roundTrip = metrics.histogram(names.qualifySeconds, 'Round trips of pings.', ROUND_TRIP_BUCKETS);
  qualifier.onRoundTrip = (seconds) => {
    roundTrip.observe(seconds);
  };
}

/** From a local network to a satellite, seconds. */
const ROUND_TRIP_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

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

function answers(byStatus: Float64Array): Sample[] {
  const samples: Sample[] = [];
  for (let status = 0; status < STATUS_LIMIT; status += 1) {
    const value = byStatus[status] ?? 0;
    if (value > 0) samples.push({ labels: { status }, value });
  }
  return samples;
}
