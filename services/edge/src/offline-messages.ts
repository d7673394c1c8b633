import { epochMs } from '@rollcall/kernel';
import type { Timers } from '@rollcall/kernel';
import type {
  Aor,
  LocationReader,
  MessageLimits,
  MessageStore,
  OfflineMessage,
  StoreClock,
} from '@rollcall/location';
import { edit, parseMessage } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import type { OnCancel } from '@rollcall/sip-transaction';
import type { BusyFlows } from './busy-flows.ts';
import type { EdgeLog } from './ports.ts';
import type { UpstreamObserver } from './proxy/call-proxy.ts';
import type { Egress, Origin } from './proxy/egress.ts';
import { ResponseContext } from './proxy/response-context.ts';
import { devicesOf } from './proxy/targets.ts';
import type { Targets } from './proxy/targets.ts';
import type { Upstream } from './proxy/upstream.ts';
import type { RefusalName } from './refusals.ts';

export interface OfflineOptions extends MessageLimits {
  /** How long a message waits, ms. */
  readonly ttlMs: number;
}

export interface OfflineCounters {
  kept: number;
  /** There was no room. */
  full: number;
  delivered: number;
  /** Deliveries that nobody took; the message waits on. */
  failed: number;
}

export interface OfflineDeps {
  readonly store: MessageStore;
  readonly location: LocationReader;
  readonly clock: StoreClock;
  readonly egress: Egress;
  readonly targets: Targets;
  readonly busy: BusyFlows;
  readonly timers: Timers;
  readonly log: EdgeLog;
}

/** What belongs to the hops that brought a message here, and to nobody beyond (RFC 3261 §16.6). */
const HOP_HEADERS = [
  'via',
  'route',
  'record-route',
  'proxy-authorization',
  'max-breadth',
  'traceparent',
  'tracestate',
];
/** Messages on their way at one time: a user's own are sent one after the other, so that they stay in order. */
const DELIVERIES = 64;
/** As long as a non-INVITE transaction may last (timer F), and something. */
const TAKE_MS = 40_000;
/** A message that a phone did not take is not forced on it at each refresh. */
const AGAIN_MS = 60_000;

/**
 * Messages to users who are away (RFC 3428, C09): kept, answered 202, and sent when the user registers. The store gives each message
 * to one edge at a time. A message is sent once; only when its edge dies between the phone's answer and the store's is it
 * sent again, under its own Call-ID and CSeq, so that the phone can tell.
 */
export class OfflineMessages implements UpstreamObserver {
  readonly counters: OfflineCounters = { kept: 0, full: 0, delivered: 0, failed: 0 };
  readonly #delivering = new Set<Aor>();

  constructor(
    private readonly deps: OfflineDeps,
    private readonly options: OfflineOptions,
  ) {}

  /** Users whose messages are on their way now. */
  get size(): number {
    return this.#delivering.size;
  }

  toAor(upstream: Upstream, aor: Aor): Upstream {
    return upstream.request.method === 'MESSAGE' ? new KeepingUpstream(upstream, aor, this) : upstream;
  }

  inDialog(upstream: Upstream): Upstream {
    return upstream;
  }

  /** Calls back with whether the message waits now. */
  keep(request: SipRequest, identity: string, aor: Aor, done: (kept: boolean) => void): void {
    const { store, clock, log } = this.deps;
    const named = edit(request, { remove: [...HOP_HEADERS, 'p-asserted-identity'], prepend: identity });
    const now = clock.now();
    const until = epochMs(now + Math.min(this.options.ttlMs, validFor(request)));
    const message = request.has('date') ? named : withDate(named, now);
    store.put(aor, { message, expiresAt: until }, this.options).then(
      (outcome) => {
        this.counters[outcome] += 1;
        done(outcome === 'kept');
      },
      (error: unknown) => {
        log.warn({ error: String(error), aor }, 'a message could not be kept');
        done(false);
      },
    );
  }

  /** The user has registered: what waits for them is sent. */
  deliver(aor: Aor): void {
    if (this.#delivering.has(aor) || this.#delivering.size >= DELIVERIES) return;
    this.#delivering.add(aor);
    this.#deliverAll(aor)
      .catch((error: unknown) => {
        this.deps.log.warn({ error: String(error), aor }, 'messages could not be delivered');
      })
      .finally(() => {
        this.#delivering.delete(aor);
      });
  }

  async #deliverAll(aor: Aor): Promise<void> {
    const { store, clock } = this.deps;
    for (;;) {
      const [message] = await store.take(aor, 1, TAKE_MS);
      if (message === undefined) return;
      const delivered = await this.#send(aor, message);
      this.counters[delivered ? 'delivered' : 'failed'] += 1;
      await store.settle(aor, message.id, delivered, epochMs(clock.now() + AGAIN_MS));
      if (!delivered) return;
    }
  }

  async #send(aor: Aor, { message }: OfflineMessage): Promise<boolean> {
    const parsed = parseMessage(message);
    // What cannot be read is damage; it is taken for delivered, or it would stand in the way for ever.
    if (!parsed.ok || parsed.value.kind !== 'request') return true;
    const request = parsed.value;
    const { location, clock, egress, targets, timers, busy } = this.deps;
    const { bindings } = await location.read(aor);
    const devices = devicesOf(bindings, clock.now());
    if (devices.length === 0) return false;
    return new Promise((resolve) => {
      const upstream = new DeliveryUpstream(request, resolve);
      const group = devices.map((device) => targets.of(aor, device));
      new ResponseContext({ egress, timers, busy, loopMark: '' }, upstream, [group]).start();
    });
  }
}

/** RFC 3994: that somebody is typing just now is worth nothing later. */
const isPassing = (request: SipRequest): boolean =>
  /^application\/im-iscomposing\+xml\b/i.test(request.header('content-type') ?? '');

/** A MESSAGE that waits instead of being refused when nobody is there. */
class KeepingUpstream implements Upstream {
  readonly request: SipRequest;
  readonly origin: Origin;

  constructor(
    private readonly inner: Upstream,
    private readonly aor: Aor,
    private readonly messages: OfflineMessages,
  ) {
    this.request = inner.request;
    this.origin = inner.origin;
  }

  respond(status: number, message: string): void {
    this.inner.respond(status, message);
  }

  refuse(name: RefusalName): void {
    if (name !== 'nobodyRegistered' || isPassing(this.request)) {
      this.inner.refuse(name);
      return;
    }
    this.messages.keep(this.request, this.origin.identity, this.aor, (kept) => {
      if (kept) this.inner.fail(202, 'Accepted');
      else this.inner.refuse(name);
    });
  }

  fail(status: number, reason: string, headers?: string): void {
    this.inner.fail(status, reason, headers);
  }

  onCancel(act: OnCancel): void {
    this.inner.onCancel(act);
  }
}

/** Nobody waits for the answer of a delivery but us. */
class DeliveryUpstream implements Upstream {
  /** As from inside: nobody's flow is recorded. */
  readonly origin: Origin = { flow: undefined, topVia: undefined, identity: '' };

  constructor(
    readonly request: SipRequest,
    private readonly done: (delivered: boolean) => void,
  ) {}

  respond(status: number): void {
    if (status >= 200) this.done(status < 300);
  }

  refuse(): void {
    this.done(false);
  }

  fail(): void {
    this.done(false);
  }

  onCancel(): void {
    // Only an INVITE is cancelled.
  }
}

/** RFC 3428 §9: what the sender says of how long the message is of use, ms. */
function validFor(request: SipRequest): number {
  const expires = request.has('expires') ? request.expires() : undefined;
  return expires?.ok === true && expires.value !== undefined ? expires.value * 1_000 : Infinity;
}

/** RFC 3428 §8: a message that was stored says when it was written. */
function withDate(message: string, now: number): string {
  const end = message.indexOf('\r\n') + 2;
  return `${message.slice(0, end)}Date: ${new Date(now).toUTCString()}\r\n${message.slice(end)}`;
}
