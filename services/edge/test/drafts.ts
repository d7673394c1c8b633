import { hashOctets } from '@rollcall/digest';
import type { Algorithm } from '@rollcall/digest';
import { parseMessage } from '@rollcall/sip';
import type { SipRequest, SipResponse } from '@rollcall/sip';

/* Messages as phones write them. */

export function request(text: string): SipRequest {
  const parsed = parseMessage(text);
  if (!parsed.ok) throw new Error(`${parsed.error.code} ${parsed.error.detail} in\n${text}`);
  if (parsed.value.kind !== 'request') throw new Error('not a request');
  return parsed.value;
}

export function response(text: string): SipResponse {
  const parsed = parseMessage(text);
  if (!parsed.ok) throw new Error(`${parsed.error.code} ${parsed.error.detail} in\n${text}`);
  if (parsed.value.kind !== 'response') throw new Error('not a response');
  return parsed.value;
}

let serial = 0;

export interface Draft {
  readonly method?: string;
  readonly uri?: string;
  readonly from?: string;
  readonly to?: string;
  readonly branch?: string;
  readonly via?: string;
  readonly maxForwards?: number;
  readonly contact?: string;
  readonly callId?: string;
  /** Whole lines. */
  readonly headers?: string;
}

/** A request as a phone sends it. */
export function draft(change: Draft = {}): string {
  serial += 1;
  const method = change.method ?? 'REGISTER';
  const via =
    change.via ?? `SIP/2.0/UDP 192.0.2.99:5062;branch=${change.branch ?? `z9hG4bKt${String(serial)}`};rport`;
  return (
    `${method} ${change.uri ?? 'sip:example.test'} SIP/2.0\r\nVia: ${via}\r\nMax-Forwards: ${String(change.maxForwards ?? 70)}\r\n` +
    `From: ${change.from ?? '<sip:alice@example.test>'};tag=f1\r\nTo: ${change.to ?? '<sip:alice@example.test>'}\r\n` +
    `Call-ID: ${change.callId ?? `c${String(serial)}@test`}\r\nCSeq: 1 ${method}\r\nContact: ${change.contact ?? '<sip:alice@192.0.2.99:5062>'}\r\n${change.headers ?? ''}Content-Length: 0\r\n\r\n`
  );
}

export interface AnswerOptions {
  readonly username?: string;
  readonly password?: string;
  readonly realm?: string;
  readonly uri?: string;
  readonly method?: string;
  readonly algorithm?: Algorithm;
  readonly nc?: string;
  readonly nonce: string;
  readonly proxy?: boolean;
  /** Instead of the parameters computed. */
  readonly replace?: Record<string, string | undefined>;
}

/** An Authorization line (RFC 7616 §3.4). */
export function authorization(options: AnswerOptions): string {
  const {
    username = 'alice',
    password = 'secret',
    realm = 'example.test',
    uri = 'sip:example.test',
    method = 'REGISTER',
  } = options;
  const { algorithm = 'MD5', nc = '00000001', nonce } = options;
  const h = (text: string): string => hashOctets(algorithm, text);
  const response = h(
    `${h(`${username}:${realm}:${password}`)}:${nonce}:${nc}:c1:auth:${h(`${method}:${uri}`)}`,
  );
  const params: Record<string, string | undefined> = {
    username: `"${username}"`,
    realm: `"${realm}"`,
    nonce: `"${nonce}"`,
    uri: `"${uri}"`,
    response: `"${response}"`,
    algorithm,
    qop: 'auth',
    nc,
    cnonce: '"c1"',
    ...options.replace,
  };
  const text = Object.entries(params)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value ?? ''}`)
    .join(', ');
  return `${options.proxy === true ? 'Proxy-Authorization' : 'Authorization'}: Digest ${text}\r\n`;
}

/** The nonce of a challenge. */
export function nonceOf(answer: SipResponse): string {
  const value = answer.header('www-authenticate') ?? answer.header('proxy-authenticate') ?? '';
  const nonce = /nonce="([^"]+)"/.exec(value)?.[1];
  if (nonce === undefined) throw new Error(`no nonce in ${answer.raw}`);
  return nonce;
}
