import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import { parseUri, sipOfPres } from '@rollcall/sip';
import type { SipUri, TelUri, Uri } from '@rollcall/sip';
import type { Aor } from './model.ts';
import { canonicalUser } from './aor-user.ts';
import { canonicalSubscriber, isGlobalNumber, splitSubscriber } from './phone-number.ts';

/** Why a URI names no address-of-record. */
export interface AorProblem {
  readonly code: 'not-a-uri' | 'scheme' | 'no-user' | 'bad-escape' | 'bad-number';
  readonly detail: string;
}

export interface AorOptions {
  /** Other names of our domains, in lower case, with the domain that each means. */
  readonly domainAliases?: ReadonlyMap<string, string>;
  /**
   * The domain where telephone numbers of `tel:` URIs are at home, in lower case: for a REGISTER that of its Request-URI.
   * With it `tel:+1-555-1234` and `sip:+15551234@domain;user=phone` are one AoR (RFC 3261 §10.3 step 5, §19.1.6); without it
   * the former is `tel:+15551234`.
   */
  readonly telDomain?: string;
}

/**
 * The canonical form of the address-of-record that `uri` names (RFC 3261 §10.3 step 5): scheme `sip` (RFC 5630 §5.2: `sips`
 * names the same resource), user with every escape undone that may be undone, host in lower case, nothing else. A port is
 * dropped too: a domain has none, and phones on a test port write it into the AoR. Numbers lose their visual separators
 * (RFC 3966 §5.1.1). A `pres:` URI names the user of the `sip:` URI (RFC 3856 §4).
 */
export function canonicalAor(uri: Uri, options: AorOptions = {}): Result<Aor, AorProblem> {
  switch (uri.kind) {
    case 'sip':
      return sipAor(uri, options);
    case 'tel':
      return telAor(uri, options);
    case 'other': {
      const same = sipOfPres(uri);
      if (same.kind === 'sip') return sipAor(same, options);
      return err({ code: 'scheme', detail: `no address-of-record has the scheme ${uri.scheme}` });
    }
  }
}

/** An AoR as people and REST clients write it: a SIP, SIPS or tel URI; `alice@example.test` means `sip:alice@example.test`. */
export function parseAor(text: string, options: AorOptions = {}): Result<Aor, AorProblem> {
  const trimmed = text.trim();
  const uri = parseUri(SCHEME.test(trimmed) ? trimmed : `sip:${trimmed}`);
  return uri.ok ? canonicalAor(uri.value, options) : err({ code: 'not-a-uri', detail: uri.error.detail });
}

/** Domain of an AoR, in lower case and without port; undefined for a `tel:` AoR, which is at home nowhere. */
export function aorDomain(aor: Aor): string | undefined {
  return aor.startsWith('sip:') ? aor.slice(aor.lastIndexOf('@') + 1) : undefined;
}

/** User part of an AoR as it stands there (escaped where SIP wants it so); the number of a `tel:` AoR. */
export function aorUser(aor: Aor): string {
  return aor.slice(4, aor.startsWith('sip:') ? aor.lastIndexOf('@') : undefined);
}

/** RFC 3986 §3.1 */
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;

function sipAor(uri: SipUri, options: AorOptions): Result<Aor, AorProblem> {
  if (uri.user === undefined || uri.user === '') {
    return err({ code: 'no-user', detail: 'an address-of-record has a user part' });
  }
  const user = canonicalUser(uri.user);
  if (user === undefined)
    return err({ code: 'bad-escape', detail: 'the user part has a % without two hex digits' });
  const name = isTelephone(uri, user) ? (canonicalSubscriber(splitSubscriber(user)) ?? user) : user;
  return ok(`sip:${name}@${canonicalDomain(uri.host, options)}` as Aor);
}

function telAor(uri: TelUri, options: AorOptions): Result<Aor, AorProblem> {
  const number = canonicalSubscriber({ number: uri.number, params: uri.params }, options.telDomain);
  if (number === undefined)
    return err({ code: 'bad-number', detail: 'not a telephone number (RFC 3966 §3)' });
  return ok(
    (options.telDomain === undefined ? `tel:${number}` : `sip:${number}@${options.telDomain}`) as Aor,
  );
}

/** A global number says of itself what it is; anything else only with `user=phone` (RFC 3261 §19.1.1). */
function isTelephone(uri: SipUri, user: string): boolean {
  return isGlobalNumber(user) || (uri.params.size > 0 && uri.params.get('user')?.toLowerCase() === 'phone');
}

/** Host of a domain: lower case, without the root's dot, IPv6 in one spelling (RFC 5954 §4.1), alias resolved. */
function canonicalDomain(host: string, options: AorOptions): string {
  let domain = host.toLowerCase();
  if (domain.endsWith('.')) domain = domain.slice(0, -1);
  if (domain.startsWith('[') && URL.canParse(`http://${domain}`))
    domain = new URL(`http://${domain}`).hostname;
  return options.domainAliases?.get(domain) ?? domain;
}
