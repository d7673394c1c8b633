import { ha1Set } from '@rollcall/digest';
import { epochMs } from '@rollcall/kernel';
import type { Clock, EpochMs, TimerHandle, Timers } from '@rollcall/kernel';
import { StoreUnavailable } from '@rollcall/location';
import type { Aor, Binding, Domain, EdgeLease, FoundLease, LocationSnapshot, User } from '@rollcall/location';
import { edit } from '@rollcall/sip';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import type {
  ClientTransactionUser,
  Endpoint,
  Flow,
  OnCancel,
  ServerTransaction,
  SipFront,
  TransportName,
} from '@rollcall/sip-transaction';
import type { PushRequest, PushSender } from '../src/proxy/push-waker.ts';
import type { InnerLink, InnerOutcome } from '../src/ports.ts';
import { request, response } from './drafts.ts';

/* What stands around the core of an edge: time, phones, the services behind it and the store, each turned by hand. */

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
  onCancel?: OnCancel;

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
  /** Header lines of the CANCEL. */
  cancelHeaders = '';

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
  ): { cancel: (headers?: string) => void } {
    const sent = new Sent(this.flows.get(flow.id) ?? this.open(flow.id), request(message), user);
    this.sent.push(sent);
    return {
      cancel: (headers = '') => {
        sent.cancelled = true;
        sent.cancelHeaders = headers;
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
  /** Each holds for a while unless it says for how long. */
  readonly leases = new Map<string, EdgeLease & Partial<FoundLease>>();
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

  readonly grants = new Map<Aor, readonly Aor[]>();
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
    grants: {
      get: (aor: Aor): Promise<readonly Aor[]> => this.#ask(() => this.grants.get(aor) ?? []),
    },
    domains: {
      list: (): Promise<readonly Domain[]> => this.#ask(() => this.domainList),
      onChange: () => () => undefined,
    },
  };

  readonly leaseSource = {
    find: (id: string): Promise<FoundLease | undefined> =>
      this.#ask(() => {
        const lease = this.leases.get(id);
        return lease === undefined ? undefined : { leftMs: 15_000, ...lease };
      }),
  };
  readonly location = {
    read: (aor: Aor): Promise<LocationSnapshot> =>
      this.#ask(() => ({ version: 1, bindings: this.bindings.get(aor) ?? [] })),
  };
}
