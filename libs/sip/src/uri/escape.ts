/** The "%" escapes of RFC 3261 §19.1.2: undone once, never twice. */
import { HEXDIG, PERCENT, USER, isIn } from '../grammar/chars.ts';

const hex = (code: number): string => `%${code.toString(16).toUpperCase().padStart(2, '0')}`;

/** Makes octets fit for the user part of a SIP URI: what the grammar does not allow there is escaped. */
export function escapeUser(octets: string): string {
  let text = '';
  let clean = 0;
  for (let i = 0; i < octets.length; i += 1) {
    const code = octets.charCodeAt(i);
    if (isIn(code, USER)) continue;
    text += octets.slice(clean, i) + hex(code & 0xff);
    clean = i + 1;
  }
  return clean === 0 ? octets : text + octets.slice(clean);
}

/** The octets behind a user part (or another escaped component). A "%" that is no escape stays. */
export function unescapeUser(text: string): string {
  return text.includes('%') ? unescape(text, () => true) : text;
}

function unescape(text: string, wanted: (code: number) => boolean): string {
  let octets = '';
  let from = 0;
  for (let i = text.indexOf('%'); i >= 0; i = text.indexOf('%', i + 1)) {
    const code = escapedAt(text, i);
    if (code < 0) continue;
    octets += text.slice(from, i) + (wanted(code) ? String.fromCharCode(code) : hex(code));
    i += 2;
    from = i + 1;
  }
  return octets + text.slice(from);
}

function escapedAt(text: string, at: number): number {
  if (text.charCodeAt(at) !== PERCENT || !isIn(text.charCodeAt(at + 1), HEXDIG)) return -1;
  return isIn(text.charCodeAt(at + 2), HEXDIG) ? Number.parseInt(text.slice(at + 1, at + 3), 16) : -1;
}

/** reserved = ";" / "/" / "?" / ":" / "@" / "&" / "=" / "+" / "$" / "," (RFC 2396 §2.2) */
const RESERVED = new Set(Buffer.from(';/?:@&=+$,', 'latin1'));

/**
 * One spelling for all equal ones: "characters other than those in the reserved set are equivalent to their
 * %HH encoding" (RFC 3261 §19.1.4). Escapes that stay get upper-case digits.
 */
export function normalizeEscapes(text: string): string {
  return text.includes('%') ? unescape(text, (code) => !RESERVED.has(code) && code !== PERCENT) : text;
}
