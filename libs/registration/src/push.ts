import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import { canWake, pushParams } from '@rollcall/location';
import type { Policy } from '@rollcall/location';
import type { ContactIntent, RegisterIntent } from './read-register.ts';
import { refuse } from './refusals.ts';
import type { Refusal } from './refusals.ts';

/** RFC 8599 §5.5: a push to refresh a binding goes out so many seconds before its end; a shorter one cannot be kept by pushing. */
const SHORTEST = 120;
/** RFC 8599 §5.6.1.1: bigger than 120; devices that wake by themselves refresh this many seconds before the end. */
const REFRESH_BEFORE = 130;

const NONE = ok<readonly string[]>([]);

/**
 * What the 200 says of push notifications: values of Feature-Caps, one for each service (RFC 8599 §5.4), or the refusal of a
 * service that is not served (§5.6.1.2). Contacts that are removed ask for nothing (§4.1.2).
 */
export function offerPush(
  intent: RegisterIntent,
  contacts: readonly ContactIntent[],
  granted: readonly number[],
  policy: Policy,
): Result<readonly string[], Refusal> {
  const served = policy.push;
  if (served === undefined || intent.pushElsewhere) return NONE;
  const offers = new Set<string>();
  for (const [at, { uri, params }] of contacts.entries()) {
    const lifetime = granted[at] ?? 0;
    const push = uri.kind === 'sip' && lifetime > 0 ? pushParams(uri) : undefined;
    if (push === undefined) continue;
    const asked = push.provider === '' ? served : served.filter((name) => name === push.provider);
    if (asked.length === 0) return err(refuse('push-unsupported', `no push service "${push.provider}"`));
    // §5.6.1.1: without all that its service needs, or for too short a time, a binding gets no promise.
    const kept = push.prid === undefined || (canWake(push) && lifetime > SHORTEST);
    if (kept) for (const name of asked) offers.add(featureCaps(name, params));
  }
  return ok([...offers]);
}

function featureCaps(service: string, contactParams: string): string {
  const wakesItself = /;\s*\+sip\.pnsreg(?=[;=\s]|$)/i.test(contactParams);
  const refresh = wakesItself ? `;+sip.pnsreg="${REFRESH_BEFORE.toString()}"` : '';
  return `*;+sip.pns="${service}"${refresh}`;
}
