import type { SipRequest } from '@rollcall/sip';

/** Where the device is, as our edge saw it: its Via is the second from the top, with received and rport filled in. */
export function readSource(request: SipRequest): string | undefined {
  const [top, second] = request.headers('via');
  return plainSource(top, second) ?? parsedSource(request);
}

const PREFIXES = ['UDP', 'TCP', 'TLS', 'WSS', 'WS'].map((transport) => ({
  start: `SIP/2.0/${transport} `,
  source: `${transport.toLowerCase()}:`,
}));
const RECEIVED = ';received=';
const RPORT = ';rport=';

/**
 * From two Vias as our edge leaves them: the transport, an IPv4 address in `received`, a port in `rport`. Undefined when anything
 * wants a closer look: lists, quotes, another spelling.
 */
function plainSource(top: string | undefined, via: string | undefined): string | undefined {
  if (top === undefined || via === undefined) return undefined;
  for (const { start, source } of PREFIXES) {
    if (!via.startsWith(start)) continue;
    const host = via.indexOf(RECEIVED, start.length) + RECEIVED.length;
    const port = via.indexOf(RPORT, start.length) + RPORT.length;
    if (host < RECEIVED.length || port < RPORT.length) return undefined;
    if (top.includes(',') || via.includes(',') || via.includes('"')) return undefined;
    const hostEnd = digitsEnd(via, host, DOT);
    const portEnd = digitsEnd(via, port, -1);
    if (hostEnd < 0 || portEnd < 0 || via.charCodeAt(port) === ZERO) return undefined;
    return source + via.slice(host, hostEnd) + ':' + via.slice(port, portEnd);
  }
  return undefined;
}

const ZERO = 0x30;
const NINE = 0x39;
const DOT = 0x2e;
const SEMI = 0x3b;

/** Where digits, and what `other` is, end at the end of a parameter; -1 when they end elsewhere. */
function digitsEnd(text: string, start: number, other: number): number {
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === SEMI) return at === start ? -1 : at;
    if ((code < ZERO || code > NINE) && code !== other) return -1;
  }
  return text.length === start ? -1 : text.length;
}

function parsedSource(request: SipRequest): string | undefined {
  const vias = request.vias();
  if (!vias.ok) return undefined;
  const via = vias.value[1] ?? vias.value[0];
  if (via === undefined) return undefined;
  const address = via.received ?? via.host;
  const port = typeof via.rport === 'number' ? via.rport : (via.port ?? 5060);
  const host = address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
  return `${via.transport.toLowerCase()}:${host}:${port.toString()}`;
}
