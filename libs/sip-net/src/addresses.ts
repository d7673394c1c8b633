import { isIPv4 } from 'node:net';

/** An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`), as a dual-stack socket names an IPv4 peer, becomes IPv4. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && isIPv4(address.slice(7)) ? address.slice(7) : address;
}

/** `host:port` as SIP writes it: an IPv6 address in brackets. */
export function hostPort(address: string, port: number): string {
  const isIPv6 = address.includes(':') && !address.startsWith('[');
  return isIPv6 ? `[${address}]:${String(port)}` : `${address}:${String(port)}`;
}

/** A host of a URI or Via without the brackets of an IPv6 reference. */
export function bareHost(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

/** 8 (IPv4) or 32 (IPv6) hex digits: an address in characters that are legal unescaped in the user part of a SIP URI. */
export function addressHex(address: string): string {
  if (isIPv4(address))
    return address
      .split('.')
      .map((part) => hex(Number(part), 2))
      .join('');
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const left = groups(head);
  if (tail === undefined) return left.join('');
  const right = groups(tail);
  return [...left, ...new Array<string>(8 - left.length - right.length).fill('0000'), ...right].join('');
}

function groups(text: string): string[] {
  if (text === '') return [];
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [part.padStart(4, '0')];
    const bytes = addressHex(part);
    return [bytes.slice(0, 4), bytes.slice(4)];
  });
}

/** The address that `addressHex` wrote; undefined when the text is none. */
export function addressFromHex(text: string): string | undefined {
  if (/^[0-9a-f]{8}$/.test(text)) {
    return [0, 2, 4, 6].map((at) => String(parseInt(text.slice(at, at + 2), 16))).join('.');
  }
  if (!/^[0-9a-f]{32}$/.test(text)) return undefined;
  const parts = [0, 4, 8, 12, 16, 20, 24, 28].map((at) => text.slice(at, at + 4));
  // The URL parser writes the canonical short form of RFC 5952.
  return bareHost(new URL(`http://[${parts.join(':')}]`).hostname);
}

const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0');
