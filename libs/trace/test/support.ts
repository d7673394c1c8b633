import type { TraceEntry } from '../src/index.ts';

export const PHONE = { address: '192.0.2.1', port: 5071 };
export const EDGE = { address: '198.51.100.1', port: 5060 };
export const INNER = { address: '10.0.0.1', port: 41_000 };
export const REGISTRAR = { address: '10.0.0.2', port: 5080 };
/** 2026-01-31T12:00:00Z in microseconds. */
export const NOON = 1_769_860_800_000_000;

export const lines = (...parts: string[]): string => `${parts.join('\r\n')}\r\n\r\n`;

export function entry(octets: string, fields: Partial<TraceEntry> = {}): TraceEntry {
  return {
    at: NOON,
    edge: 'edge-1',
    hop: 'phone',
    direction: 'in',
    transport: 'udp',
    local: EDGE,
    remote: PHONE,
    flow: 'u0-c0000201-5071',
    octets,
    ...fields,
  };
}

export interface RegisterParts {
  readonly cseq?: number;
  readonly callId?: string;
  readonly to?: string;
  readonly more?: readonly string[];
}

export function register({
  cseq = 1,
  callId = 'c1',
  to = 'sip:alice@example.test',
  more = [],
}: RegisterParts = {}): string {
  return lines(
    'REGISTER sip:example.test SIP/2.0',
    `Via: SIP/2.0/UDP 192.0.2.1:5071;branch=z9hG4bKr${String(cseq)};rport`,
    'Max-Forwards: 70',
    `From: <${to}>;tag=f1`,
    `To: <${to}>`,
    `Call-ID: ${callId}`,
    `CSeq: ${String(cseq)} REGISTER`,
    'Contact: <sip:alice@192.0.2.1:5071>',
    'Expires: 600',
    'User-Agent: Desk <b>Phone</b>',
    ...more,
    'Content-Length: 0',
  );
}

export function answer(
  status: string,
  cseq: number,
  more: readonly string[] = [],
  method = 'REGISTER',
): string {
  return lines(
    `SIP/2.0 ${status}`,
    `Via: SIP/2.0/UDP 192.0.2.1:5071;branch=z9hG4bKr${String(cseq)};rport=5071;received=192.0.2.1`,
    'From: <sip:alice@example.test>;tag=f1',
    'To: <sip:alice@example.test>;tag=t1',
    'Call-ID: c1',
    `CSeq: ${String(cseq)} ${method}`,
    ...more,
    'Content-Length: 0',
  );
}

export const AUTHORIZATION =
  'Authorization: Digest username="alice", realm="example.test", nonce="n0nce", uri="sip:example.test", response="0123456789abcdef0123456789abcdef", algorithm=MD5, qop=auth, nc=00000001, cnonce="c"';
