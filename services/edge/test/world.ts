import { epochMs } from '@rollcall/kernel';
import { MemoryMessages } from '@rollcall/location';
import type { Binding, BindingId } from '@rollcall/location';
import type { SipResponse } from '@rollcall/sip';
import { createCore } from '../src/core.ts';
import type { CoreOptions, CorePorts, EdgeCore } from '../src/core.ts';
import { GUARD_DEFAULTS } from '../src/guess-guard.ts';
import { request, response } from './drafts.ts';
import { ADVERTISED, FakeFront, FakeLink, FakeStore, FakeTransaction, Hand } from './fakes.ts';
import type { FakeFlow } from './fakes.ts';

export * from './drafts.ts';
export * from './fakes.ts';

export const SECRET = 'a secret of the tests';
export const INNER = '10.9.9.9:5070';

/** Nothing that is optional is done, and nobody is trusted. */
export const CALL_OPTIONS = {
  trusted: { networks: [], names: [] },
  guard: { ...GUARD_DEFAULTS, exempt: [] },
  push: { waitMs: 10_000, limit: 100 },
  offline: undefined,
  qualify: undefined,
  dialogs: undefined,
  profiles: false,
} satisfies Partial<CoreOptions>;

export const EDGE = { id: 'edge-1', epoch: 1_000 };

export interface World {
  readonly core: EdgeCore;
  readonly front: FakeFront;
  readonly store: FakeStore;
  readonly registrar: FakeLink;
  readonly presence: FakeLink;
  readonly hand: Hand;
  readonly messages: MemoryMessages;
  /** What the overload control reads. */
  readonly load: { lagMs: number; waiting: number };
  /** A request comes from a phone. */
  send(message: string, flow?: FakeFlow): FakeTransaction;
  /** A request comes from inside; resolves with what is replied so far and later. */
  inner(message: string): SipResponse[];
}

/** An edge without sockets, with the domains read. */
export async function world(
  change: Partial<CoreOptions> = {},
  store = new FakeStore(),
  more: Pick<CorePorts, 'locate'> = {},
): Promise<World> {
  const front = new FakeFront();
  const hand = new Hand();
  const registrar = new FakeLink();
  const presence = new FakeLink();
  const messages = new MemoryMessages(hand);
  const load = { lagMs: 0, waiting: 0 };
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const core = createCore(
    {
      front,
      registrar,
      presence,
      users: store.users,
      location: store.location,
      storeClock: hand,
      leases: store.leaseSource,
      messages,
      push: store.push,
      load: { lagMs: () => load.lagMs, waiting: () => load.waiting },
      clock: hand,
      timers: hand,
      random: () => 0.5,
      trace: () => undefined,
      log,
      ...more,
    },
    {
      edge: EDGE,
      inner: INNER,
      secret: SECRET,
      algorithms: ['SHA-512-256', 'SHA-256', 'MD5'],
      nonceLifetimeMs: 3_600_000,
      nonceLimit: 1_000,
      userCacheLimit: 1_000,
      digest: { allowRfc2069: true, digestUri: 'equivalent' },
      ...CALL_OPTIONS,
      ...change,
    },
  );
  core.own.add(ADVERTISED);
  core.domains.start();
  await settle();
  const phone = front.open('u0-c0000201-5062');
  return {
    core,
    front,
    store,
    registrar,
    presence,
    hand,
    messages,
    load,
    send(message, flow = phone) {
      const transaction = new FakeTransaction(request(message), flow);
      if (transaction.request.method === 'ACK') core.onRequest.onAck(transaction.request, flow);
      else core.onRequest.onRequest(transaction);
      return transaction;
    },
    inner(message) {
      const replies: SipResponse[] = [];
      core.onInnerRequest.handle(request(message), (reply) => replies.push(response(reply)));
      return replies;
    },
  };
}

/** Lets everything that was promised happen. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
}

/** A binding that came through an edge. */
export function binding(contact: string, path: readonly string[], change: Partial<Binding> = {}): Binding {
  const at = epochMs(Date.UTC(2026, 5, 1, 11));
  return {
    id: contact as BindingId,
    contact,
    params: '',
    callId: 'r1',
    cseq: 1,
    path,
    registeredAt: at,
    refreshedAt: at,
    expiresAt: epochMs(Date.UTC(2026, 5, 1, 14)),
    ...change,
  };
}
