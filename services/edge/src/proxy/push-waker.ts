import { canWake, pushParams, readFlowToken, samePush } from '@rollcall/location';
import type { Aor, Binding, LocationReader, StoreClock } from '@rollcall/location';
import type { TimerHandle, Timers } from '@rollcall/kernel';
import { parseUri } from '@rollcall/sip';
import { userOf } from './targets.ts';
import type { Device } from './targets.ts';

/** What is told of a device that is to be woken. */
export interface PushRequest {
  readonly aor: Aor;
  readonly binding: string;
  readonly provider: string;
  readonly prid: string;
  readonly param?: string;
}

/** Asks the push notification service, or who does so for us. `done(false)`: it did not take the request. */
export interface PushSender {
  send(request: PushRequest, done: (taken: boolean) => void): void;
}

export interface PushOptions {
  /**
   * How long a request waits for the device, ms. RFC 8599 §5.6.2: so short that a non-INVITE client has not given up meanwhile
   * (timer F, 32 s); two seconds are usual.
   */
  readonly waitMs: number;
  /** Devices that may be waited for at one time. */
  readonly limit: number;
}

export interface PushCounters {
  asked: number;
  refused: number;
  woken: number;
  silent: number;
}

/** Between two looks at the location record of a device that is waited for. */
const LOOK_MS = 250;

type Done = (binding: Binding | undefined) => void;

/** One device that is being woken, and all who wait for it. */
interface Wait {
  readonly aor: Aor;
  /** Contact as it was, with its `pn-*` parameters. */
  readonly contact: string;
  readonly since: number;
  readonly until: number;
  readonly waiting: Done[];
  timer: TimerHandle | undefined;
}

/**
 * Wakes devices by push notification and waits until they have registered anew (RFC 8599 §5.6.2). The device may register through
 * any edge: the location record is what tells.
 */
export class PushWaker {
  readonly counters: PushCounters = { asked: 0, refused: 0, woken: 0, silent: 0 };
  readonly #waits = new Map<string, Wait>();

  constructor(
    private readonly sender: PushSender,
    private readonly location: LocationReader,
    private readonly clock: StoreClock,
    private readonly timers: Timers,
    private readonly options: PushOptions,
  ) {}

  /** Devices that are waited for. */
  get size(): number {
    return this.#waits.size;
  }

  /** True for a binding that says how its device is woken. */
  canWake(binding: Binding): boolean {
    return wakeable(binding) !== undefined;
  }

  /** True for a device that sleeps without its flow showing it: one without a connection. */
  maySleep([first]: Device): boolean {
    if (wakeable(first) === undefined) return false;
    const token = userOf(first.path[0] ?? '');
    return token !== undefined && readFlowToken(token)?.flow.startsWith('u') === true;
  }

  /** `done` gets the binding that the device has made or refreshed since; undefined when it cannot be woken or does not come. */
  wake(aor: Aor, device: Device, done: Done): void {
    const binding = device.find((one) => wakeable(one) !== undefined);
    const request = binding === undefined ? undefined : wakeable(binding);
    if (binding === undefined || request === undefined) {
      done(undefined);
      return;
    }
    const key = `${request.provider} ${request.prid} ${request.param ?? ''}`;
    const known = this.#waits.get(key);
    if (known !== undefined) {
      known.waiting.push(done);
      return;
    }
    if (this.#waits.size >= this.options.limit) {
      this.counters.refused += 1;
      done(undefined);
      return;
    }
    const now = this.clock.now();
    const wait: Wait = {
      aor,
      contact: binding.contact,
      since: Math.max(...device.map(({ refreshedAt }) => refreshedAt)),
      until: now + this.options.waitMs,
      waiting: [done],
      timer: undefined,
    };
    this.#waits.set(key, wait);
    this.counters.asked += 1;
    this.sender.send({ aor, ...request }, (taken) => {
      if (taken || this.#waits.get(key) !== wait) return;
      this.counters.refused += 1;
      this.#end(key, wait, undefined);
    });
    this.#later(key, wait);
  }

  stop(): void {
    for (const [key, wait] of [...this.#waits]) this.#end(key, wait, undefined);
  }

  #later(key: string, wait: Wait): void {
    wait.timer = this.timers.start(LOOK_MS, () => {
      this.#look(key, wait).catch(() => {
        // The store is away: the next look may find it.
        if (this.#waits.get(key) === wait) this.#again(key, wait);
      });
    });
  }

  async #look(key: string, wait: Wait): Promise<void> {
    const { bindings } = await this.location.read(wait.aor);
    if (this.#waits.get(key) !== wait) return;
    const now = this.clock.now();
    const fresh = bindings
      .filter(
        (one) => one.expiresAt > now && one.refreshedAt > wait.since && samePush(one.contact, wait.contact),
      )
      .sort((a, b) => b.refreshedAt - a.refreshedAt)[0];
    if (fresh === undefined) {
      this.#again(key, wait);
      return;
    }
    this.counters.woken += 1;
    this.#end(key, wait, fresh);
  }

  #again(key: string, wait: Wait): void {
    if (this.clock.now() < wait.until) {
      this.#later(key, wait);
      return;
    }
    this.counters.silent += 1;
    this.#end(key, wait, undefined);
  }

  #end(key: string, wait: Wait, binding: Binding | undefined): void {
    this.#waits.delete(key);
    if (wait.timer !== undefined) this.timers.stop(wait.timer);
    for (const done of wait.waiting) done(binding);
  }
}

/** What a push notification service needs to know of a binding; undefined for one that cannot be woken. */
function wakeable(binding: Binding): Omit<PushRequest, 'aor'> | undefined {
  if (!binding.contact.includes('pn-prid')) return undefined;
  const uri = parseUri(binding.contact);
  const push = uri.ok && uri.value.kind === 'sip' ? pushParams(uri.value) : undefined;
  if (push?.prid === undefined || !canWake(push)) return undefined;
  const { provider, prid, param } = push;
  return { binding: binding.id, provider, prid, ...(param === undefined ? undefined : { param }) };
}
