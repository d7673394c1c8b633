import { hashOctets, ha1Set } from '@rollcall/digest';
import type { Algorithm } from '@rollcall/digest';
import { epochMs } from '@rollcall/kernel';
import type { Clock, EpochMs, TimerHandle, Timers } from '@rollcall/kernel';
import { MemoryMessages, StoreUnavailable } from '@rollcall/location';
import type { Aor, Binding, BindingId, Domain, EdgeLease, LocationSnapshot, User } from '@rollcall/location';
import { edit, parseMessage } from '@rollcall/sip';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import type {
  ClientTransactionUser,
  Endpoint,
  Flow,
  ServerTransaction,
  SipFront,
  TransportName,
} from '@rollcall/sip-transaction';
import { createCore } from '../src/core.ts';
import { GUARD_DEFAULTS } from '../src/guess-guard.ts';
import type { PushRequest, PushSender } from '../src/proxy/push-waker.ts';
import type { CoreOptions, CorePorts, EdgeCore } from '../src/core.ts';
import type { InnerLink, InnerOutcome } from '../src/ports.ts';

export const SECRET = 'a secret of the tests';
export const INNER = '10.9.9.9:5070';
export const ADVERTISED: Endpoint = { address: '198.51.100.1', port: 5060 };

/** A clock and timers that a test turns by hand. */
export class Hand implements Clock, Timers {
  #now = Date.UTC(2026, 5, 1, 12);
  readonly #timers = new Map<object, { due: number; fire: () => void }>();

  now(): EpochMs {
    return epochMs(this.#now);
  }

  turn(ms: number): void {
    this.#now += ms;
    for (const [handle, timer] of [...this.#timers]) {
      if (timer.due > this.#now) continue;
      this.#timers.delete(handle);
      timer.fire();
    }
  }

  start(ms: number, fire: () => void): TimerHandle {
    const handle = {};
    this.#timers.set(handle, { due: this.#now + ms, fire });
    return handle;
  }

  stop(handle: TimerHandle): void {
    this.#timers.delete(handle);
  }
}

export class FakeFlow implements Flow {
  readonly local = ADVERTISED;
  readonly advertised = ADVERTISED;
  readonly sent: string[] = [];
  open = true;

  constructor(
    readonly id: string,
    readonly transport: TransportName,
    readonly remote: Endpoint,
  ) {}

  get reliable(): boolean {
    return this.transport !== 'udp';
  }

  send(message: string): boolean {
    if (this.open) this.sent.push(message);
    return this.open;
  }

  close(): void {
    this.open = false;
  }
}

export class FakeTransaction implements ServerTransaction {
  readonly answers: { readonly response: SipResponse; readonly stateless: boolean }[] = [];
  onCancel?: () => void;

  constructor(
    readonly request: SipRequest,
    readonly flow: FakeFlow,
  ) {}

  respond(_status: number, message: string): void {
    this.answers.push({ response: response(message), stateless: false });
  }

  respondStateless(message: string): void {
    this.answers.push({ response: response(message), stateless: true });
  }

  /** The only answer; throws when there is none or more. */
  get answer(): SipResponse {
    const [first, ...more] = this.answers;
    if (first === undefined || more.length > 0) throw new Error(`${String(this.answers.length)} answers`);
    return first.response;
  }
}

/** A request that the edge has sent, waiting for what the test answers. */
export class Sent {
  cancelled = false;

  constructor(
    readonly flow: FakeFlow,
    readonly request: SipRequest,
    private readonly user: ClientTransactionUser,
  ) {}

  answer(status: number, headers = ''): void {
    const vias = this.request
      .headers('via')
      .map((via) => `Via: ${via}\r\n`)
      .join('');
    const to = this.request.header('to') ?? '';
    const tag = status === 100 || to.includes('tag=') ? '' : `;tag=${this.flow.id}`;
    this.user.onResponse(
      response(
        `SIP/2.0 ${String(status)} Answer\r\n${vias}From: ${this.request.header('from') ?? ''}\r\nTo: ${to}${tag}\r\n` +
          `Call-ID: ${this.request.header('call-id') ?? ''}\r\nCSeq: ${this.request.header('cseq') ?? ''}\r\n${headers}Content-Length: 0\r\n\r\n`,
      ),
    );
  }

  fail(reason: 'timeout' | 'transport'): void {
    this.user.onFailure(reason);
  }
}

export class FakeFront implements SipFront {
  readonly listeners = [];
  readonly flows = new Map<string, FakeFlow>();
  readonly sent: Sent[] = [];

  start(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  open(
    id: string,
    transport: TransportName = 'udp',
    remote: Endpoint = { address: '192.0.2.1', port: 5062 },
  ): FakeFlow {
    const flow = new FakeFlow(id, transport, remote);
    this.flows.set(id, flow);
    return flow;
  }

  flow(id: string): Flow | undefined {
    return this.flows.get(id);
  }

  connect(transport: TransportName, remote: Endpoint): Flow {
    return this.open(`${transport}:${remote.address}:${String(remote.port)}`, transport, remote);
  }

  request(
    flow: Flow,
    _method: string,
    _branch: string,
    message: string,
    user: ClientTransactionUser,
  ): { cancel: () => void } {
    const sent = new Sent(this.flows.get(flow.id) ?? this.open(flow.id), request(message), user);
    this.sent.push(sent);
    return {
      cancel: () => {
        sent.cancelled = true;
      },
    };
  }

  /** The request sent last. */
  get last(): Sent {
    const last = this.sent.at(-1);
    if (last === undefined) throw new Error('nothing was sent');
    return last;
  }
}

export class FakeLink implements InnerLink {
  readonly requests: {
    readonly key: string;
    readonly request: SipRequest;
    readonly done: (outcome: InnerOutcome) => void;
  }[] = [];

  request(key: string, _branch: string, message: string, done: (outcome: InnerOutcome) => void): void {
    this.requests.push({ key, request: request(message), done });
  }

  /** The only request that came; throws when there is none or more. */
  get only(): SipRequest {
    const [first, ...more] = this.requests;
    if (first === undefined || more.length > 0)
      throw new Error(`${String(this.requests.length)} inner requests`);
    return first.request;
  }

  answer(status: number, headers = ''): void {
    const last = this.requests.at(-1);
    if (last === undefined) throw new Error('no inner request');
    const copied = ['via', 'from', 'to', 'call-id', 'cseq'].flatMap((name) =>
      last.request.headers(name).map((value) => `${name}: ${value}\r\n`),
    );
    const text = `SIP/2.0 ${String(status)} Inner\r\n${copied.join('')}${headers}Content-Length: 0\r\n\r\n`;
    last.done({ kind: 'response', status, below: edit(response(text), { dropFirst: ['via'] }) });
  }
}

/** Users, domains, leases and bindings in memory, away when told so. */
export class FakeStore {
  away = false;
  lookups = 0;
  readonly userList: User[] = [];
  readonly domainList: Domain[] = [
    { name: 'example.test', aliases: ['example.alias'] },
    { name: 'other.test' },
  ];
  readonly leases = new Map<string, EdgeLease>();
  readonly bindings = new Map<string, Binding[]>();
  readonly #listeners: ((aor: Aor | undefined) => void)[] = [];

  addUser(name: string, password: string, domain = 'example.test'): User {
    const user: User = {
      aor: `sip:${name}@${domain}` as Aor,
      authUser: name,
      realm: domain,
      ha1: ha1Set(name, domain, password),
      enabled: true,
    };
    this.userList.push(user);
    return user;
  }

  changed(aor: Aor | undefined): void {
    for (const listener of this.#listeners) listener(aor);
  }

  #ask<T>(read: () => T): Promise<T> {
    return this.away ? Promise.reject(new StoreUnavailable('away')) : Promise.resolve(read());
  }

  readonly pushes: PushRequest[] = [];
  /** Whether a push notification is taken. */
  pushTaken = true;
  readonly push: PushSender = {
    send: (request, done) => {
      this.pushes.push(request);
      done(this.pushTaken);
    },
  };

  readonly users = {
    find: (aor: Aor): Promise<User | undefined> =>
      this.#ask(() => this.userList.find((user) => user.aor === aor || user.aliases?.includes(aor) === true)),
    findByCredentials: (realm: string, name: string): Promise<User | undefined> => {
      this.lookups += 1;
      return this.#ask(() => this.userList.find((user) => user.realm === realm && user.authUser === name));
    },
    onChange: (listener: (aor: Aor | undefined) => void): (() => void) => {
      this.#listeners.push(listener);
      return () => undefined;
    },
    domains: {
      list: (): Promise<readonly Domain[]> => this.#ask(() => this.domainList),
      onChange: () => () => undefined,
    },
  };

  readonly leaseSource = {
    find: (id: string): Promise<EdgeLease | undefined> => this.#ask(() => this.leases.get(id)),
  };
  readonly location = {
    read: (aor: Aor): Promise<LocationSnapshot> =>
      this.#ask(() => ({ version: 1, bindings: this.bindings.get(aor) ?? [] })),
  };
}

/** Nothing that is optional is done, and nobody is trusted. */
export const CALL_OPTIONS = {
  trusted: { networks: [], names: [] },
  guard: { ...GUARD_DEFAULTS, exempt: [] },
  push: { waitMs: 10_000, limit: 100 },
  offline: undefined,
  qualify: undefined,
  dialogs: undefined,
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

export function request(text: string): SipRequest {
  const parsed = parseMessage(text);
  if (!parsed.ok) throw new Error(`${parsed.error.code} ${parsed.error.detail} in\n${text}`);
  if (parsed.value.kind !== 'request') throw new Error('not a request');
  return parsed.value;
}

export function response(text: string): SipResponse {
  const parsed = parseMessage(text);
  if (!parsed.ok) throw new Error(`${parsed.error.code} ${parsed.error.detail} in\n${text}`);
  if (parsed.value.kind !== 'response') throw new Error('not a response');
  return parsed.value;
}

let serial = 0;

export interface Draft {
  readonly method?: string;
  readonly uri?: string;
  readonly from?: string;
  readonly to?: string;
  readonly branch?: string;
  readonly via?: string;
  readonly maxForwards?: number;
  readonly contact?: string;
  readonly callId?: string;
  /** Whole lines. */
  readonly headers?: string;
}

/** A request as a phone sends it. */
export function draft(change: Draft = {}): string {
  serial += 1;
  const method = change.method ?? 'REGISTER';
  const via =
    change.via ?? `SIP/2.0/UDP 192.0.2.99:5062;branch=${change.branch ?? `z9hG4bKt${String(serial)}`};rport`;
  return (
    `${method} ${change.uri ?? 'sip:example.test'} SIP/2.0\r\nVia: ${via}\r\nMax-Forwards: ${String(change.maxForwards ?? 70)}\r\n` +
    `From: ${change.from ?? '<sip:alice@example.test>'};tag=f1\r\nTo: ${change.to ?? '<sip:alice@example.test>'}\r\n` +
    `Call-ID: ${change.callId ?? `c${String(serial)}@test`}\r\nCSeq: 1 ${method}\r\nContact: ${change.contact ?? '<sip:alice@192.0.2.99:5062>'}\r\n${change.headers ?? ''}Content-Length: 0\r\n\r\n`
  );
}

export interface AnswerOptions {
  readonly username?: string;
  readonly password?: string;
  readonly realm?: string;
  readonly uri?: string;
  readonly method?: string;
  readonly algorithm?: Algorithm;
  readonly nc?: string;
  readonly nonce: string;
  readonly proxy?: boolean;
  /** Instead of the parameters computed. */
  readonly replace?: Record<string, string | undefined>;
}

/** An Authorization line (RFC 7616 §3.4). */
export function authorization(options: AnswerOptions): string {
  const {
    username = 'alice',
    password = 'secret',
    realm = 'example.test',
    uri = 'sip:example.test',
    method = 'REGISTER',
  } = options;
  const { algorithm = 'MD5', nc = '00000001', nonce } = options;
  const h = (text: string): string => hashOctets(algorithm, text);
  const response = h(
    `${h(`${username}:${realm}:${password}`)}:${nonce}:${nc}:c1:auth:${h(`${method}:${uri}`)}`,
  );
  const params: Record<string, string | undefined> = {
    username: `"${username}"`,
    realm: `"${realm}"`,
    nonce: `"${nonce}"`,
    uri: `"${uri}"`,
    response: `"${response}"`,
    algorithm,
    qop: 'auth',
    nc,
    cnonce: '"c1"',
    ...options.replace,
  };
  const text = Object.entries(params)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value ?? ''}`)
    .join(', ');
  return `${options.proxy === true ? 'Proxy-Authorization' : 'Authorization'}: Digest ${text}\r\n`;
}

/** The nonce of a challenge. */
export function nonceOf(answer: SipResponse): string {
  const value = answer.header('www-authenticate') ?? answer.header('proxy-authenticate') ?? '';
  const nonce = /nonce="([^"]+)"/.exec(value)?.[1];
  if (nonce === undefined) throw new Error(`no nonce in ${answer.raw}`);
  return nonce;
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
