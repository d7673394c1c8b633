import { epochMs } from '@rollcall/kernel';
import { MemoryEvents } from '@rollcall/events';
import { FlowTokens, MemoryLocation, StoreUnavailable } from '@rollcall/location';
import type {
  Aor,
  Binding,
  BindingId,
  ChangeKind,
  PolicySettings,
  User,
  WatcherPolicy,
} from '@rollcall/location';
import { parseMessage } from '@rollcall/sip';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import { createCore } from '../../src/core.ts';
import type { CoreOptions, PresenceCore } from '../../src/core.ts';
import type { InnerOutcome } from '../../src/ports.ts';

export const alice = 'sip:alice@example.test' as Aor;
export const bob = 'sip:bob@example.test' as Aor;
export const SECRET = 'a secret of the test itself';
export const SHARDS = 4;

/** A NOTIFY on its way, as the edge would see it. */
export interface SentNotify {
  readonly request: SipRequest;
  readonly replica: number;
  readonly peer: string;
  answered: boolean;
  answer(outcome: InnerOutcome): void;
  status(code: number, headers?: string): void;
}

export interface SubscribeOptions {
  readonly as?: string;
  readonly to?: string;
  readonly event?: string | undefined;
  readonly expires?: number | undefined;
  readonly accept?: string | undefined;
  readonly cseq?: number;
  readonly callId?: string;
  readonly toTag?: string;
  readonly flow?: string;
  readonly headers?: string;
  readonly contact?: string;
  readonly body?: string;
}

const flowTokens = new FlowTokens(SECRET);

/** Record-Route value of an edge for a flow. */
export const recordRoute = (flow: string, edge = 'e1'): string =>
  `<sip:${flowTokens.sign({ edge, epoch: 1, flow })}@198.51.100.1:5060;transport=tcp;lr>`;

/** Replicas of presence over one store in memory, with a clock turned by hand and edges that are a list of messages. */
export class World {
  time = 1_800_000_000_000;
  readonly clock = { now: () => epochMs(this.time) };
  readonly location = new MemoryLocation(this.clock);
  readonly events = new MemoryEvents(this.clock, this.location, SHARDS);
  readonly notifies: SentNotify[] = [];
  readonly replicas: PresenceCore[] = [];
  /** False: the store answers nothing. */
  storeUp = true;
  /** Answers at once with this status; undefined: the test answers. */
  autoAnswer: number | undefined = 200;
  readonly grants = new Map<Aor, Aor[]>();
  readonly warnings: unknown[] = [];
  #branch = 0;

  /** User policies, for those who have one. */
  readonly policies = new Map<Aor, PolicySettings>();
  domainWatchers: WatcherPolicy | undefined;
  /** What the directory tells of a user that changed or went. */
  readonly changed: ((aor: Aor | undefined) => void)[] = [];
  readonly removed = new Set<Aor>();

  /** `settleLate`: that NOTIFYs arrived is written when `settleLate` of the notifier is called. */
  constructor(
    replicas = 1,
    private readonly settleLate = false,
    private readonly more: Partial<CoreOptions> = {},
  ) {
    for (let n = 0; n < replicas; n += 1) this.replicas.push(this.#replica(n));
  }

  /** Replica `n` dies: what it was doing never ends. */
  kill(n: number): void {
    this.replicas[n]!.worker.stop();
    for (const notify of this.notifies) if (notify.replica === n) notify.answered = true;
  }

  async subscribe(options: SubscribeOptions = {}, replica = 0): Promise<SipResponse> {
    const { as = 'alice', to = 'bob', cseq = 1, callId = 'c1', flow = 'u0-c0000201-5060' } = options;
    const { body = '' } = options;
    const event = 'event' in options ? options.event : 'presence';
    const expires = 'expires' in options ? options.expires : 600;
    const uri =
      options.toTag === undefined ? `sip:${to}@example.test` : `sip:${options.toTag}@198.51.100.1:5060`;
    return this.request(
      `SUBSCRIBE ${uri} SIP/2.0\r\nVia: SIP/2.0/TCP edge.invalid;branch=z9hG4bKt${String((this.#branch += 1))}\r\n` +
        `Record-Route: ${recordRoute(flow)}\r\nMax-Forwards: 69\r\n` +
        `From: "A" <sip:${as}@example.test>;tag=f1\r\n` +
        `To: <sip:${to}@example.test>${options.toTag === undefined ? '' : `;tag=${options.toTag}`}\r\n` +
        `Call-ID: ${callId}\r\nCSeq: ${String(cseq)} SUBSCRIBE\r\n` +
        `Contact: ${options.contact ?? `<sip:${as}@192.0.2.1:5060;transport=tcp>`}\r\n` +
        `P-Asserted-Identity: <sip:${as}@example.test>\r\n` +
        (event === undefined ? '' : `Event: ${event}\r\n`) +
        (expires === undefined ? '' : `Expires: ${String(expires)}\r\n`) +
        (options.accept === undefined ? '' : `Accept: ${options.accept}\r\n`) +
        `${options.headers ?? ''}Content-Length: ${String(body.length)}\r\n\r\n${body}`,
      replica,
    );
  }

  async publish(
    body: string,
    options: {
      as?: string;
      to?: string;
      headers?: string;
      event?: string;
      type?: string;
      replica?: number;
      uri?: string;
      branch?: string;
      cseq?: number;
    } = {},
  ): Promise<SipResponse> {
    const { as = 'bob', to = 'bob', headers = 'Expires: 600\r\n', event = 'presence' } = options;
    const type = body === '' ? '' : `Content-Type: ${options.type ?? 'application/pidf+xml'}\r\n`;
    return this.request(
      `PUBLISH ${options.uri ?? `sip:${to}@example.test`} SIP/2.0\r\nVia: SIP/2.0/TCP edge.invalid;branch=z9hG4bKt${String((this.#branch += 1))}\r\n` +
        (options.branch === undefined ? '' : `Via: SIP/2.0/UDP 192.0.2.1;branch=${options.branch}\r\n`) +
        `Max-Forwards: 69\r\nFrom: <sip:${as}@example.test>;tag=p1\r\nTo: <sip:${to}@example.test>\r\n` +
        `Call-ID: p1\r\nCSeq: ${String(options.cseq ?? this.#branch)} PUBLISH\r\nP-Asserted-Identity: <sip:${as}@example.test>\r\n` +
        `Event: ${event}\r\n${type}${headers}Content-Length: ${String(body.length)}\r\n\r\n${body}`,
      options.replica ?? 0,
    );
  }

  async request(raw: string, replica = 0): Promise<SipResponse> {
    const parsed = parseMessage(raw);
    if (!parsed.ok || parsed.value.kind !== 'request') throw new Error('the test writes no request');
    const request = parsed.value;
    const answer = await new Promise<string>((resolve) => {
      this.replicas[replica]!.onRequest.handle(request, resolve);
    });
    await this.settle();
    const response = parseMessage(answer);
    if (!response.ok || response.value.kind !== 'response') throw new Error(`no response: ${answer}`);
    return response.value;
  }

  /** A change of bindings, as the registrar commits it, and what presence then does. */
  async register(
    kind: ChangeKind,
    change: Partial<Binding> = {},
    aor: Aor = bob,
    replica = 0,
  ): Promise<void> {
    const now = this.clock.now();
    const { version, bindings } = await this.location.read(aor);
    const id = change.id ?? ('b1' as BindingId);
    const before = bindings.find((each) => each.id === id);
    const binding: Binding = {
      contact: 'sip:bob@192.0.2.7:5060',
      params: '',
      callId: 'r1',
      cseq: (before?.cseq ?? 0) + 1,
      path: [],
      registeredAt: before?.registeredAt ?? now,
      refreshedAt: now,
      expiresAt: epochMs(now + 3_600_000),
      ...change,
      id,
    };
    const gone =
      kind === 'unregistered' || kind === 'expired' || kind === 'deactivated' || kind === 'rejected';
    const others = bindings.filter((each) => each.id !== id);
    await this.location.commit({
      aor,
      expectedVersion: version,
      bindings: gone ? others : [...others, binding],
      changes: [{ kind, binding }],
    });
    this.events.touch(aor, 'location', [{ kind, bindingId: id, contact: binding.contact }]);
    await this.work(replica);
  }

  /** What a bell, or a second gone by, makes a replica do. */
  async work(replica = 0): Promise<void> {
    for (let shard = 0; shard < SHARDS; shard += 1) await this.replicas[replica]!.worker.drain(shard);
    await this.settle();
  }

  async pass(ms: number, replica = 0): Promise<void> {
    this.time += ms;
    await this.work(replica);
  }

  /** Lets everything that is under way come to its end. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < 20; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  get last(): SentNotify {
    const last = this.notifies.at(-1);
    if (last === undefined) throw new Error('no NOTIFY was sent');
    return last;
  }

  #replica(replica: number): PresenceCore {
    const directory = {
      find: (aor: Aor) => this.#guarded(this.#userOf(aor)),
      onChange: (listener: (aor: Aor | undefined) => void) => {
        this.changed.push(listener);
        return () => undefined;
      },
      domains: {
        list: () =>
          this.#guarded([
            {
              name: 'example.test',
              aliases: ['example.alias'],
              ...(this.domainWatchers === undefined ? {} : { watchers: this.domainWatchers }),
            },
          ]),
        onChange: () => () => undefined,
      },
      grants: { get: (aor: Aor) => this.#guarded(this.grants.get(aor) ?? []) },
    };
    const log = {
      info: () => undefined,
      warn: (fields: unknown) => void this.warnings.push(fields),
      error: (fields: unknown) => void this.warnings.push(fields),
    };
    return createCore(
      {
        store: guard(this.events, () => this.storeUp),
        directory,
        leases: {
          find: (id) =>
            Promise.resolve(
              id === 'gone'
                ? undefined
                : { id, epoch: 1, inner: `127.0.0.1:${id === 'e1' ? '7001' : '7002'}`, leftMs: 15_000 },
            ),
        },
        link: {
          requestTo: (peer, _branch, message, done) => {
            this.#receive(replica, `${peer.host}:${String(peer.port)}`, message, done);
          },
        },
        clock: this.clock,
        log,
        traced: (_request, handle) => handle(),
        tracedWork: (_trace, _resource, work) => work(),
        storeReady: () => this.storeUp,
        newToken: () => `k${String((this.#branch += 1))}`,
        currentTrace: () => undefined,
        random: () => 0,
      },
      {
        secret: SECRET,
        ownAddress: '127.0.0.1:5090',
        minExpires: 60,
        maxExpires: 3600,
        settleLate: this.settleLate,
        ...this.more,
      },
    );
  }

  /** `nobody…` and lists are no users; `alias…` is another name of bob. */
  #userOf(aor: Aor): User | undefined {
    if (aor.includes('nobody') || aor.includes('list') || this.removed.has(aor)) return undefined;
    const primary = aor.startsWith('sip:alias') ? bob : aor;
    const policy = this.policies.get(primary);
    return { aor: primary, ...(policy === undefined ? {} : { policy }) } as User;
  }

  #guarded<T>(value: T): Promise<T> {
    return this.storeUp ? Promise.resolve(value) : Promise.reject(new StoreUnavailable('away'));
  }

  #receive(replica: number, peer: string, message: string, done: (outcome: InnerOutcome) => void): void {
    const parsed = parseMessage(message);
    if (!parsed.ok || parsed.value.kind !== 'request') throw new Error(`no request: ${message}`);
    const notify: SentNotify = {
      request: parsed.value,
      replica,
      peer,
      answered: false,
      answer: (outcome) => {
        if (notify.answered) return;
        notify.answered = true;
        setImmediate(() => {
          done(outcome);
        });
      },
      status: (code, headers = '') => {
        const raw = `SIP/2.0 ${String(code)} X\r\nCSeq: 1 NOTIFY\r\n${headers}Content-Length: 0\r\n\r\n`;
        const response = parseMessage(raw);
        if (response.ok && response.value.kind === 'response')
          notify.answer({ kind: 'response', status: code, response: response.value });
      },
    };
    this.notifies.push(notify);
    if (this.autoAnswer !== undefined) notify.status(this.autoAnswer);
  }
}

/** The store, or none. */
function guard(store: MemoryEvents, up: () => boolean): MemoryEvents {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        if (!up() && name !== 'shardOf') return Promise.reject(new StoreUnavailable('away'));
        return (value as (...all: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

export const tagOf = (response: SipResponse): string => {
  const to = response.to();
  return to.ok ? (to.value.tag ?? '') : '';
};

/** What tests compare of a NOTIFY. */
export function shown(notify: SentNotify): { cseq: number; state: string; body: string } {
  const cseq = notify.request.cseq();
  return {
    cseq: cseq.ok ? cseq.value.seq : -1,
    state: notify.request.header('subscription-state') ?? '',
    body: notify.request.body,
  };
}

/** What identifies the dialog of the NOTIFY that went last. */
export const dialogOf = (world: World) => {
  const { request } = world.last;
  return { callId: request.header('call-id'), from: request.header('from'), to: request.header('to') };
};
