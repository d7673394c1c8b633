import { epochMs } from '@rollcall/kernel';
import type { LocationSnapshot } from '@rollcall/location';
import { parseMessage } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import { readRegister } from '../src/index.ts';
import type { DomainNames, RegisterIntent } from '../src/index.ts';

export const NOW = epochMs(1_700_000_000_000);
export const NO_RECORD: LocationSnapshot = { version: 0, bindings: [] };

export const domains: DomainNames = {
  canonical: (host) =>
    ['example.test', 'example.com'].includes(host.toLowerCase()) ? host.toLowerCase() : undefined,
  aliases: new Map(),
};

/** A REGISTER of alice with these further header lines. */
export function registerText(lines: readonly string[], cseq = 1): string {
  return [
    'REGISTER sip:example.test SIP/2.0',
    'Via: SIP/2.0/TCP 192.0.2.250:5080;branch=z9hG4bKedge',
    'Via: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKphone;received=198.51.100.7;rport=40000',
    'Max-Forwards: 69',
    'From: <sip:alice@example.test>;tag=f1',
    'To: <sip:alice@example.test>',
    'Call-ID: c1',
    `CSeq: ${cseq.toString()} REGISTER`,
    ...lines,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}

export function parseRequest(text: string): SipRequest {
  const parsed = parseMessage(text);
  if (!parsed.ok || parsed.value.kind !== 'request') throw new Error(`not a request: ${text}`);
  return parsed.value;
}

export function intentOf(lines: readonly string[], cseq = 1): RegisterIntent {
  const intent = readRegister(parseRequest(registerText(lines, cseq)), domains);
  if (!intent.ok) throw new Error(intent.error.detail);
  return intent.value;
}
