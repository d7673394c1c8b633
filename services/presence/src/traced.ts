import type { Aor } from '@rollcall/location';
import type { SipRequest } from '@rollcall/sip';
import type { Histogram, Tracing } from '@rollcall/telemetry';
import type { EventStore } from './ports.ts';

/** Names that the wrappers use; they come from telemetry's one file. */
export interface TraceNames {
  readonly request: string;
  readonly notify: string;
  readonly store: string;
  readonly method: string;
  readonly event: string;
  readonly aor: string;
  readonly operation: string;
  readonly system: string;
}

const MS_PER_SECOND = 1000;

/** The seam around a request: its time, and a span that goes on with the trace of the edge. */
export function tracedRequests(
  tracing: Tracing,
  names: TraceNames,
  seconds: (method: string) => Histogram | undefined,
) {
  return async (request: SipRequest, handle: () => Promise<void>): Promise<void> => {
    const began = performance.now();
    try {
      if (!tracing.enabled) await handle();
      else {
        const attributes = { [names.method]: request.method, [names.event]: request.header('event') };
        await tracing.run(names.request, attributes, request.header('traceparent'), handle, 'server');
      }
    } finally {
      seconds(request.method)?.observe((performance.now() - began) / MS_PER_SECOND);
    }
  };
}

/** The seam around the work that a change makes: a span in the trace of the request that made it. */
export function tracedWork(tracing: Tracing, names: TraceNames) {
  return (trace: string | undefined, resource: Aor, work: () => Promise<void>): Promise<void> =>
    tracing.enabled ? tracing.run(names.notify, { [names.aor]: resource }, trace, work, 'consumer') : work();
}

/** The seam around the store: a span for each call that changes something; the store itself when tracing is off. */
export function tracedStore(store: EventStore, tracing: Tracing, names: TraceNames): EventStore {
  if (!tracing.enabled) return store;
  const span = <T>(operation: string, call: () => Promise<T>): Promise<T> =>
    tracing.run(
      names.store,
      { [names.operation]: operation, [names.system]: 'redis' },
      undefined,
      call,
      'client',
    );
  return {
    get shards() {
      return store.shards;
    },
    shardOf: (resource) => store.shardOf(resource),
    read: (id) => store.read(id),
    readMany: (ids) => store.readMany(ids),
    watchers: (resource, after, limit) => store.watchers(resource, after, limit),
    watchesOf: (watcher, after, limit) => store.watchesOf(watcher, after, limit),
    commit: (commit) => span('settle-subscriptions', () => store.commit(commit)),
    settle: (commits, duty) => span('settle-subscriptions', () => store.settle(commits, duty)),
    subscribe: (commit) => span('commit-subscription', () => store.subscribe(commit)),
    watch: (resource, id, until) => store.watch(resource, id, until),
    unwatch: (resource, id) => store.unwatch(resource, id),
    index: (watcher, id, until) => store.index(watcher, id, until),
    readRules: (resource) => store.readRules(resource),
    readList: (uri) => store.readList(uri),
    readAdhoc: (id) => store.readAdhoc(id),
    keepAdhoc: (id, entries, until) => store.keepAdhoc(id, entries, until),
    take: (shard, limit, onlyNew) => store.take(shard, limit, onlyNew),
    done: (shard, cursors) => store.done(shard, cursors),
    rearm: (id) => store.rearm(id),
    rearmPublications: (resource) => store.rearmPublications(resource),
    onBell: (ring) => store.onBell(ring),
    readState: (resource, sources) => store.readState(resource, sources),
    readPublications: (resource) => store.readPublications(resource),
    commitPublications: (commit) => span('commit-publications', () => store.commitPublications(commit)),
  };
}
