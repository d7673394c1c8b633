import { displayText, escapeUser, unescapeUser } from '@rollcall/sip';
import type { EpochMs } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import { aorDomain, aorUser, parseAor } from '@rollcall/location';
import { ProblemError } from '@rollcall/http';

/** Text of a person or a JSON body as the octets that the protocol works with: one character for each octet of its UTF-8. */
export const octets = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** Octets as people may see them: UTF-8 decoded, control characters written out. JSON escapes the rest. */
export const shown = displayText;

/** Text as people may see it: control characters and turns of direction written out. */
export const printable = (text: string): string => shown(octets(text));

export const isoTime = (at: EpochMs): string => new Date(at).toISOString();

const MS_PER_S = 1_000;
/** Whole seconds until `at`, as the `expires` of a 200 counts them; never negative. */
export const remaining = (at: EpochMs, now: EpochMs): number => Math.max(0, Math.ceil((at - now) / MS_PER_S));

/** The AoR of a path parameter: `sip:alice@example.test`, `alice@example.test` or `tel:+15551234`. */
export function readAor(text: string, domainAliases: ReadonlyMap<string, string>): Aor {
  const aor = parseAor(octets(text), { domainAliases });
  if (aor.ok) return aor.value;
  throw new ProblemError('invalid-request', `not an address-of-record: ${aor.error.detail}`);
}

/** The AoR of a user of a domain; the user part is given as text, and whatever SIP wants escaped in it is escaped. */
export function userAor(user: string, domain: string): Aor {
  const aor = parseAor(`sip:${escapeUser(octets(user))}@${domain}`);
  if (aor.ok && aorDomain(aor.value) === domain) return aor.value;
  throw new ProblemError('invalid-request', aor.ok ? 'not a domain name' : aor.error.detail);
}

/** The user part of an AoR as octets without escapes: what `userAor` takes, once it is shown as text. */
export const userOf = (aor: Aor): string => unescapeUser(aorUser(aor));
