import { aorDomain, aorUser, canonicalAor } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import { parseMessage } from '@rollcall/sip';
import type { NameAddr, ParseProblem, Uri } from '@rollcall/sip';
import type { Result } from '@rollcall/kernel';
import { headOf } from './call-id.ts';

/** Names of our domains that are aliases, in lower case, with the domain that each means. */
export type DomainAliases = ReadonlyMap<string, string>;

/** What may follow the host of an AoR in a header. */
const HOST_END = /^(?:[^A-Za-z0-9.-]|$)/;
/** Spellings of a user part that a search for the plain one does not find. */
const ODD = /%|\btel:|user=phone|;ext=/i;

/** Finds the requests that are about an AoR: it stands in the Request-URI, in From, To or an identity. */
export class AorMatch {
  readonly #needle: string;
  readonly #domain: string | undefined;

  constructor(
    readonly aor: Aor,
    private readonly aliases: () => DomainAliases,
  ) {
    this.#domain = aorDomain(aor);
    this.#needle = this.#domain === undefined ? aorUser(aor) : `:${aorUser(aor)}@`;
  }

  matches(request: string): boolean {
    const head = headOf(request);
    return this.#stands(head) || (ODD.test(head) && this.#isNamed(request));
  }

  #stands(head: string): boolean {
    for (let at = head.indexOf(this.#needle); at >= 0; at = head.indexOf(this.#needle, at + 1)) {
      if (this.#domain === undefined || this.#isDomain(head, at + this.#needle.length, this.#domain))
        return true;
    }
    return false;
  }

  #isDomain(head: string, at: number, domain: string): boolean {
    if (this.#isHost(head, at, domain)) return true;
    for (const [alias, name] of this.aliases()) {
      if (name === domain && this.#isHost(head, at, alias)) return true;
    }
    return false;
  }

  #isHost(head: string, at: number, host: string): boolean {
    const end = at + host.length;
    return head.slice(at, end).toLowerCase() === host && HOST_END.test(head.slice(end, end + 1));
  }

  /** The long way: read the URIs and compare their canonical forms. */
  #isNamed(raw: string): boolean {
    const parsed = parseMessage(raw);
    if (!parsed.ok || parsed.value.kind !== 'request') return false;
    const request = parsed.value;
    const uriOf = (address: Result<NameAddr, ParseProblem>): Uri | undefined =>
      address.ok ? address.value.uri : undefined;
    const target = request.uri();
    const identities = request.assertedIdentities();
    const uris = [
      target.ok ? target.value : undefined,
      uriOf(request.from()),
      uriOf(request.to()),
      ...(identities.ok ? identities.value.map(({ uri }) => uri) : []),
    ];
    return uris.some((uri) => uri !== undefined && this.#isAor(uri));
  }

  #isAor(uri: Uri): boolean {
    const domainAliases = this.aliases();
    const telDomain = this.#domain;
    const options = telDomain === undefined ? { domainAliases } : { domainAliases, telDomain };
    const aor = canonicalAor(uri, options);
    return aor.ok && aor.value === this.aor;
  }
}
