import { randomBytes } from 'node:crypto';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import type { Flow } from '@rollcall/sip-transaction';

/** Sizes, transport, address and time, as the server writes them of a message. */
function placeOf(flow: Flow, raw: string): string {
  const { address, port } = flow.remote;
  return `${String(raw.length)}|${flow.transport}|${address}|${String(port)}|12:00:00.000000`;
}

/** Head of a message from a phone. */
export const networkHead = (flow: Flow, raw: string): string => `sip|network|${placeOf(flow, raw)}`;

/** Answer to an app whose message was sent. */
export const sentReply = (id: string, flow: Flow, transactionId: string, sent: string): string =>
  `response|${id}|OK|application|${placeOf(flow, sent)}|${transactionId}`;

/** Our own address on the transport of a flow. */
export const hostOf = ({ local }: Flow): string => `${local.address}:${String(local.port)}`;
export const transportOf = (flow: Flow): string => (flow.reliable ? `;transport=${flow.transport}` : '');
/** The top Via with where the request came from (RFC 3261 §18.2.1, RFC 3581 §4). */
export function viaOf(request: SipRequest, flow: Flow): string {
  const { address, port } = flow.remote;
  const [top = ''] = request.headers('via');
  return `${top.replace(/;rport(?!=)/i, `;rport=${String(port)}`)};received=${address}`;
}

export const newTag = (): string => randomBytes(6).toString('hex');
export const body = (raw: string): string => raw.slice(raw.indexOf('\r\n\r\n') + 4);
export const tagOf = (value: string): string => /;tag=([^;\s]+)/.exec(value)?.[1] ?? '';

/** First value of a header by its long name. */
export function headerOf(raw: string, name: string): string | undefined {
  const head = raw.slice(0, raw.indexOf('\r\n\r\n') + 2);
  const found = new RegExp(`^${name}[ \\t]*:[ \\t]*([^\\r]*)\\r$`, 'im').exec(head);
  return found?.[1];
}

/** Header lines that an app gives, without those that it cannot give here. */
export function appLines(raw: string, without: readonly string[]): string {
  const lines = raw.slice(0, raw.indexOf('\r\n\r\n')).split('\r\n').slice(1);
  return lines
    .filter(
      (line) =>
        line.includes(':') && !without.includes(line.slice(0, line.indexOf(':')).trim().toLowerCase()),
    )
    .map((line) => `${line}\r\n`)
    .join('');
}

export function contactOf(message: SipRequest | SipResponse): string | undefined {
  const contacts = message.contacts();
  return contacts.ok && contacts.value.kind === 'list' ? contacts.value.contacts[0]?.uriText : undefined;
}
