import type { Page } from './directory.ts';
import { readFlowToken } from './flow-token.ts';
import { aorDomain } from './aor.ts';
import type { Aor, Binding } from './model.ts';

/** Which AoRs a listing is about; what is absent does not matter. An AoR is listed when one of its live bindings fits. */
export interface ListingFilter {
  /** Canonical name of a domain. */
  readonly domain?: string;
  /** How the AoR begins: `sip:ali`; without a scheme that of a SIP AoR is meant. */
  readonly prefix?: string;
  /** Transport that the REGISTER came over, in lower case. */
  readonly transport?: string;
  /** A part of the User-Agent, in whatever case. */
  readonly userAgent?: string;
  /** Id of the edge that holds the flow (RFC 5626 §5.1). */
  readonly edge?: string;
}

/** An AoR that has bindings. */
export interface ListedAor {
  readonly aor: Aor;
  readonly version: number;
  /** All that have not expired; empty when `unreadable`. */
  readonly bindings: readonly Binding[];
  /** The store holds something for the AoR that is no record of a format known here. */
  readonly unreadable?: true;
}

export interface LocationLister {
  /**
   * A page of AoRs that have bindings, at most `limit`; it may hold fewer, even none, and still have a `cursor`: a page looks at a
   * bounded number of records. Over all pages each AoR that was there from the first to the last comes at least once, whatever
   * is written meanwhile. Throws `StoreUnavailable`.
   */
  list(filter: ListingFilter, cursor: string | undefined, limit: number): Promise<Page<ListedAor>>;
}

/** The prefix with its scheme. */
export function aorPrefix(prefix: string): string {
  return /^(sip|tel):/.test(prefix) ? prefix : `sip:${prefix}`;
}

/** Whether the AoR itself fits. */
export function fitsAor({ domain, prefix }: ListingFilter, aor: Aor): boolean {
  if (domain !== undefined && aorDomain(aor) !== domain) return false;
  return prefix === undefined || aor.startsWith(aorPrefix(prefix));
}

/** Whether a filter asks for anything that only the bindings tell. */
export function asksForBindings({ transport, userAgent, edge }: ListingFilter): boolean {
  return transport !== undefined || userAgent !== undefined || edge !== undefined;
}

/** Whether a binding fits. */
export function fitsBinding({ transport, userAgent, edge }: ListingFilter, binding: Binding): boolean {
  if (transport !== undefined && bindingTransport(binding) !== transport) return false;
  if (edge !== undefined && bindingEdge(binding) !== edge) return false;
  if (userAgent === undefined) return true;
  return binding.userAgent?.toLowerCase().includes(userAgent.toLowerCase()) === true;
}

/** The transport that the REGISTER came over. */
export function bindingTransport({ source }: Binding): string | undefined {
  const end = source?.indexOf(':') ?? -1;
  return end > 0 ? source?.slice(0, end) : undefined;
}

const TOKEN = /^<sips?:([^@>]*)@/;

/** The edge that holds the flow: it has put its token into the Path. */
export function bindingEdge({ path }: Binding): string | undefined {
  for (const value of path) {
    const token = TOKEN.exec(value)?.[1];
    const flow = token === undefined ? undefined : readFlowToken(token);
    if (flow !== undefined) return flow.edge;
  }
  return undefined;
}
