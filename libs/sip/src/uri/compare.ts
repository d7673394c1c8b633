/** Equality of URIs: RFC 3261 §19.1.4, for tel: RFC 3966 §5. */
import { assertNever } from '@rollcall/kernel';
import { normalizeEscapes } from './escape.ts';
import type { SipUri, TelUri, Uri } from './uri.ts';

type UriParams = ReadonlyMap<string, string | undefined>;

/**
 * §19.1.4: "a user, ttl, or method uri-parameter appearing in only one URI never matches"; maddr likewise; and a URI
 * that omits transport "will not match a URI explicitly containing that component with its default value".
 */
const NEVER_IGNORED = ['transport', 'user', 'ttl', 'method', 'maddr'] as const;

/** True when two URIs are equivalent. Not transitive: a parameter that only one URI has is mostly ignored. */
export function uriEquals(a: Uri, b: Uri): boolean {
  if (a.text === b.text) return true;
  switch (a.kind) {
    case 'sip':
      return b.kind === 'sip' && sipEquals(a, b);
    case 'tel':
      return b.kind === 'tel' && telEquals(a, b);
    case 'other':
      return b.kind === 'other' && a.scheme === b.scheme && afterScheme(a.text) === afterScheme(b.text);
    default:
      return assertNever(a, 'URI');
  }
}

const afterScheme = (text: string): string => normalizeEscapes(text.slice(text.indexOf(':')));

function sipEquals(a: SipUri, b: SipUri): boolean {
  return (
    a.secure === b.secure &&
    a.port === b.port &&
    a.host.toLowerCase() === b.host.toLowerCase() &&
    same(a.user, b.user) &&
    same(a.password, b.password) &&
    paramsEqual(a.params, b.params) &&
    headersEqual(a.headers, b.headers)
  );
}

/** Comparison of the userinfo is case-sensitive. */
function same(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a === b || normalizeEscapes(a) === normalizeEscapes(b);
}

const fold = (text: string): string => normalizeEscapes(text).toLowerCase();

function paramsEqual(a: UriParams, b: UriParams): boolean {
  if (a === b) return true;
  const left = normalized(a);
  const right = normalized(b);
  for (const name of NEVER_IGNORED) if (left.has(name) !== right.has(name)) return false;
  for (const [name, value] of left) if (right.has(name) && right.get(name) !== value) return false;
  return true;
}

function normalized(params: UriParams): Map<string, string | undefined> {
  const map = new Map<string, string | undefined>();
  for (const [name, value] of params) map.set(fold(name), value === undefined ? undefined : fold(value));
  return map;
}

/** "URI header components are never ignored"; their order does not count. */
function headersEqual(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a === b || sortedHeaders(a) === sortedHeaders(b);
}

const sortedHeaders = (headers: string): string => headers.split('&').map(fold).sort().join('&');

function telEquals(a: TelUri, b: TelUri): boolean {
  if (digits(a.number) !== digits(b.number)) return false;
  const left = normalized(a.params);
  const right = normalized(b.params);
  if (left.size !== right.size) return false;
  for (const [name, value] of left) {
    const other = right.get(name);
    if (
      !right.has(name) ||
      (value === undefined ? other !== undefined : digits(value) !== digits(other ?? ''))
    )
      return false;
  }
  return true;
}

/** Visual separators do not count (RFC 3966 §5.1.1). */
const digits = (number: string): string => number.replace(/[-.()]/g, '').toLowerCase();
