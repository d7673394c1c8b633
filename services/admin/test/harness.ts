import { epochMs } from '@rollcall/kernel';
import { MemoryEvents } from '@rollcall/events';
import type { Aor, Binding, BindingId, ChangeKind } from '@rollcall/location';
import { MemoryApiTokens, MemoryLocation, MemoryWebhooks } from '@rollcall/location';
import { ATTRIBUTES, noLogger, noTracing, SPANS } from '@rollcall/telemetry';
import type { LogFields, Tracing } from '@rollcall/telemetry';
import type { AdminOptions, AdminPorts, StreamLimits } from '../src/index.ts';
import { buildAdmin, STREAM_LIMITS, StreamGate } from '../src/index.ts';
import { memoryAudit, MemoryDirectory } from './memory-directory.ts';

export const ROOT = 'root-token-of-the-tests';
export const NOW = Date.UTC(2026, 0, 31, 12);

export interface Call {
  readonly body?: unknown;
  readonly token?: string | null;
  readonly headers?: Record<string, string>;
}

export function binding(id: string, fields: Partial<Binding> = {}): Binding {
  return {
    id: id as BindingId,
    contact: `sip:${id}@192.0.2.1:5060`,
    params: '',
    callId: `${id}@192.0.2.1`,
    cseq: 1,
    path: [],
    registeredAt: epochMs(NOW),
    refreshedAt: epochMs(NOW),
    expiresAt: epochMs(NOW + 600_000),
    ...fields,
  };
}

/** Admin on memory adapters, at a time of its own. */
export async function harness(
  given: {
    limits?: Partial<StreamLimits>;
    ports?: Partial<AdminPorts>;
    events?: number;
    tracing?: Tracing;
    edgeClient?: AdminOptions['edgeClient'];
    jwt?: AdminOptions['jwt'];
    rateLimit?: number;
  } = {},
) {
  const time = { now: NOW };
  const clock = { now: () => epochMs(time.now) };
  const location = new MemoryLocation(clock, given.events === undefined ? {} : { events: given.events });
  const events = new MemoryEvents(clock, location);
  const users = new MemoryDirectory();
  const audit = memoryAudit();
  const tokens = new MemoryApiTokens();
  const logged: { fields: LogFields; message: string }[] = [];
  const edges = { list: () => Promise.resolve([{ id: 'e1', epoch: 7, inner: '10.0.0.1:5070' }]) };
  const streams = new StreamGate({ ...STREAM_LIMITS, ...given.limits });
  const options: AdminOptions = {
    ports: {
      users,
      location,
      clock,
      edges,
      audit,
      tokens,
      subscriptions: events,
      mailboxes: events,
      publications: events,
      webhooks: new MemoryWebhooks(clock),
      ...given.ports,
    },
    rootToken: ROOT,
    version: '0.0.0',
    log: { ...noLogger, error: (fields, message) => logged.push({ fields, message }) },
    tracing: given.tracing ?? noTracing,
    spans: { span: SPANS.adminRequest, attributes: ATTRIBUTES },
    streams,
    edgeClient: given.edgeClient,
    jwt: given.jwt,
    ...(given.rateLimit === undefined ? {} : { rateLimit: given.rateLimit }),
  };
  const app = await buildAdmin(options);

  async function call(
    method: 'GET' | 'PUT' | 'POST' | 'DELETE',
    url: string,
    { body, token = ROOT, headers }: Call = {},
  ) {
    const answer = await app.inject({
      method,
      url,
      headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    });
    const json = answer.body === '' ? undefined : (JSON.parse(answer.body) as Record<string, unknown>);
    return { status: answer.statusCode, headers: answer.headers, text: answer.body, json };
  }

  /** Stores bindings as a registrar would. */
  async function register(
    aor: string,
    bindings: readonly Binding[],
    kind: ChangeKind = 'registered',
  ): Promise<number> {
    const { version } = await location.read(aor as Aor);
    const changes = bindings.map((one) => ({ kind, binding: one }));
    const outcome = await location.commit({ aor: aor as Aor, expectedVersion: version, bindings, changes });
    if (outcome.kind !== 'committed') throw new Error('conflict');
    return outcome.version;
  }

  return { app, call, register, location, events, users, audit, tokens, logged, streams, time };
}

export type Harness = Awaited<ReturnType<typeof harness>>;
