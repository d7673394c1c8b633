import type { Aor, Binding } from '@rollcall/location';
import { parseUri } from '@rollcall/sip';
import type { FlowNames } from '../flow-names.ts';
import { fitting } from './caller-preferences.ts';
import type { CallerPreferences } from './caller-preferences.ts';
import type { Egress } from './egress.ts';
import type { OutsideTargets } from './outside.ts';
import type { Target } from './response-context.ts';

/** RFC 3261 §20.10: a Contact without q; §16.6 leaves the value to the proxy. */
const DEFAULT_Q = 1_000;

/** The flows of one device, the one registered last first: RFC 5626 §7 wants one of them tried at a time. */
export type Device = readonly [Binding, ...Binding[]];

/** What is done about flows that have failed. */
export interface FlowRescue {
  /** The flow of a binding will never be there again: whoever may write takes the binding away. */
  gone(aor: Aor, binding: Binding): void;
  /** True for a binding by which a device can be woken: it stands for the device while that sleeps (RFC 8599 §5.5). */
  canWake(binding: Binding): boolean;
  /**
   * Wakes a device that can be woken, and calls back with the binding that it has then made or refreshed; undefined when
   * it cannot be woken or does not come (RFC 8599 §5.6.2).
   */
  wake(aor: Aor, device: Device, done: (binding: Binding | undefined) => void): void;
}

/**
 * The live devices of an AoR (RFC 5626 §7: bindings of one instance are one device). A Contact on a path that is there already is no
 * second target (RFC 3261 §16.5): a phone that has begun to name its instance is still listed as it was before.
 */
export function devicesOf(bindings: readonly Binding[], now: number): Device[] {
  const live = bindings.filter((binding) => binding.expiresAt > now);
  live.sort((a, b) => b.refreshedAt - a.refreshedAt);
  const devices = new Map<string, [Binding, ...Binding[]]>();
  const places = new Set<string>();
  for (const binding of live) {
    const place = `${binding.contact} ${binding.path.join()}`;
    if (places.has(place)) continue;
    places.add(place);
    // Without a reg-id an instance has one flow, and a device may register several addresses of its own.
    const name =
      binding.instance !== undefined && binding.regId !== undefined ? binding.instance : binding.id;
    const device = devices.get(name);
    if (device === undefined) devices.set(name, [binding]);
    else device.push(binding);
  }
  return [...devices.values()];
}

/**
 * Devices in the groups in which they are tried: by q, highest first (RFC 3261 §16.6), within by how well they fit what the
 * caller prefers; those that do not fit at all are left out (RFC 3841 §7.2.4).
 */
export function groupDevices(devices: readonly Device[], preferences: CallerPreferences): Device[][] {
  const fits = fitting(devices, ([first]) => first.params, preferences);
  const qOf = ([first]: Device): number => first.q ?? DEFAULT_Q;
  fits.sort((a, b) => qOf(b.one) - qOf(a.one) || b.score - a.score);
  const best = fits[0];
  if (best !== undefined && !preferences.fork) return [[best.one]];
  if (!preferences.parallel) return fits.map(({ one }) => [one]);
  const groups: Device[][] = [];
  let last: (typeof fits)[number] | undefined;
  for (const fit of fits) {
    if (last !== undefined && qOf(last.one) === qOf(fit.one) && last.score === fit.score)
      groups.at(-1)?.push(fit.one);
    else groups.push([fit.one]);
    last = fit;
  }
  return groups;
}

/** Makes targets of devices. */
export class Targets {
  constructor(
    private readonly names: FlowNames,
    private readonly egress: Egress,
    private readonly outside: OutsideTargets,
    private readonly rescue: FlowRescue,
  ) {}

  /** The way to a device: its first flow, then the next ones, then one that it opens when it is woken. */
  of(aor: Aor, device: Device): Target {
    return this.#from(aor, device, 0);
  }

  /** A binding that has just been made or refreshed, without any further way. */
  fresh(aor: Aor, binding: Binding): Target {
    return this.#target(binding, (gone, done) => {
      if (gone) this.#unlessAsleep(aor, binding);
      done(undefined);
    });
  }

  /** The next call wants to wake the device too: what it can be woken by lives until it expires. */
  #unlessAsleep(aor: Aor, binding: Binding): void {
    if (!this.rescue.canWake(binding)) this.rescue.gone(aor, binding);
  }

  #from(aor: Aor, device: Device, at: number): Target {
    const binding = device[at] ?? device[0];
    return this.#target(binding, (gone, done) => {
      if (at + 1 < device.length) {
        if (gone) this.rescue.gone(aor, binding);
        done(this.#from(aor, device, at + 1));
        return;
      }
      if (gone) this.#unlessAsleep(aor, binding);
      this.rescue.wake(aor, device, (fresh) => {
        // Now the fresh binding stands for the device.
        if (gone && fresh !== undefined && fresh.id !== binding.id) this.rescue.gone(aor, binding);
        done(fresh === undefined ? undefined : this.fresh(aor, fresh));
      });
    });
  }

  /**
   * A binding as a target: its Contact is the Request-URI, its Path the route (RFC 3327 §5.4), whose first value, added by the
   * edge it registered through, names the flow. A binding that leads nowhere fails like a flow that is away.
   */
  #target(binding: Binding, otherwise: NonNullable<Target['otherwise']>): Target {
    const contact = requestUriOf(binding.contact);
    const [first, ...rest] = binding.path;
    if (first === undefined) return this.#withoutPath(contact, otherwise);
    const token = userOf(first);
    const ref = token === undefined ? undefined : this.names.read(token);
    return {
      onward: { requestUri: contact, route: first, rest },
      resolve: (done) => {
        if (ref === undefined) done(undefined, false);
        else this.egress.resolve(ref, done);
      },
      otherwise,
    };
  }

  /** A binding without a Path did not come through an edge: its Contact is where it is. */
  #withoutPath(contact: string, otherwise: NonNullable<Target['otherwise']>): Target {
    const onward = { requestUri: contact, route: undefined, rest: [] };
    const target = this.outside.of(contact, onward, 0);
    if (target !== undefined) return target;
    return {
      onward,
      resolve: (done) => {
        done(undefined, false);
      },
      otherwise,
    };
  }
}

/** RFC 3261 §16.6 step 2, §19.1.1: a Contact may have headers and a method, a Request-URI neither. */
function requestUriOf(contact: string): string {
  if (!contact.includes('?') && !/;method=/i.test(contact)) return contact;
  const uri = parseUri(contact);
  if (!uri.ok || uri.value.kind !== 'sip') return contact;
  const { headers } = uri.value;
  const bare = headers === undefined ? contact : contact.slice(0, -1 - headers.length);
  return uri.value.params.has('method') ? bare.replace(/;method=[^;@]*(?=;|$)/i, '') : bare;
}

/** The user part of `<sip:user@host…>`, as the edge writes it. */
export function userOf(nameAddr: string): string | undefined {
  const start = nameAddr.indexOf('sip:');
  const end = nameAddr.indexOf('@', start);
  return start < 0 || end < 0 ? undefined : nameAddr.slice(start + 4, end);
}
