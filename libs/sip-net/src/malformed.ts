import { reasonPhrase } from '@rollcall/sip';
import { newToken } from './tokens.ts';

/** Headers that a response copies from its request (RFC 3261 §8.2.6.2), with their compact forms (§7.3.3). */
const COPIED = new Map([
  ['via', 'Via'],
  ['v', 'Via'],
  ['from', 'From'],
  ['f', 'From'],
  ['to', 'To'],
  ['t', 'To'],
  ['call-id', 'Call-ID'],
  ['i', 'Call-ID'],
  ['cseq', 'CSeq'],
]);

/**
 * A refusal of a request that cannot be read as one: the headers that the response has to copy are taken from its lines
 * as they stand. Undefined when it must not or cannot be answered: a response, an ACK, or nothing with a Via in it.
 */
export function refuseMalformed(raw: string, status: number, detail: string): string | undefined {
  const end = raw.indexOf('\r\n\r\n');
  const lines = (end < 0 ? raw : raw.slice(0, end)).replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n');
  const startLine = lines.shift() ?? '';
  if (startLine.startsWith('SIP/') || startLine.startsWith('ACK ') || !startLine.includes('SIP/')) return undefined;
  const copied: string[] = [];
  let hasVia = false;
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = colon < 0 ? undefined : COPIED.get(line.slice(0, colon).trim().toLowerCase());
    if (name === undefined) continue;
    if (name === 'Via') hasVia = true;
    else if (copied.some((header) => header.startsWith(`${name}:`))) continue;
    const value = printable(line.slice(colon + 1).trim());
    const tag = name === 'To' && !/;\s*tag\s*=/i.test(value) ? `;tag=${newToken()}` : '';
    copied.push(`${name}: ${value}${tag}\r\n`);
  }
  if (!hasVia) return undefined;
  const warning = `Warning: 399 rollcall "${printable(detail).replaceAll(/["\\]/g, "'")}"\r\n`;
  return `SIP/2.0 ${String(status)} ${reasonPhrase(status)}\r\n${copied.join('')}${warning}Content-Length: 0\r\n\r\n`;
}

/** A lone CR, LF or NUL of a broken line must not end a line of ours. */
// eslint-disable-next-line no-control-regex -- these are the characters meant
const printable = (text: string): string => text.replaceAll(/[\r\n\0]/g, ' ');
