import { createHmac } from 'node:crypto';
import { lookup, type LookupAddress } from 'node:dns';
import { request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { isInside, literalAddress } from './addresses.ts';

/** `taken`: a 2xx. `refused`: an answer that will not change. `failed`: worth another attempt. */
export type Delivery =
  { readonly kind: 'taken' } | { readonly kind: 'refused' | 'failed'; readonly reason: string };

export interface Parcel {
  readonly url: string;
  readonly secret: string;
  /** Names the event, the same in every attempt: the receiver drops what it has seen. */
  readonly eventId: string;
  /** Ms since the Unix epoch of this attempt. */
  readonly at: number;
  readonly body: string;
}

export type Send = (parcel: Parcel) => Promise<Delivery>;

const TIMEOUT_MS = 5_000;
/** Answers that another attempt may change (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4). */
const PASSING = new Set([408, 425, 429]);

/** `sha256=` and the HMAC of `timestamp "." body` in hex: what the receiver computes with the secret that it was shown. */
export function signatureOf(secret: string, timestamp: string, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
}

const INSIDE = 'the address is inside';

/** Looks a name up and refuses addresses inside, in the moment of connecting: a name may mean another address each time. */
const outsideOnly: LookupFunction = (name, options, callback) => {
  lookup(name, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    const allowed = error === null ? addresses.filter(({ address }) => !isInside(address)) : [];
    const [first] = allowed;
    if (error !== null) callback(error, '', 0);
    else if (first === undefined) callback(new Error(INSIDE), '', 0);
    else if (options.all === true) callback(null, allowed);
    else callback(null, first.address, first.family);
  });
};

/** Posts over HTTP without following redirects. `allowInside`: webhooks may reach private addresses. */
export function createSender(allowInside: boolean): Send {
  return (parcel) =>
    new Promise((resolve) => {
      const url = new URL(parcel.url);
      const literal = literalAddress(url.hostname);
      if (!allowInside && literal !== undefined && isInside(literal)) {
        resolve({ kind: 'refused', reason: INSIDE });
        return;
      }
      const timestamp = String(Math.floor(parcel.at / 1000));
      const options: RequestOptions = {
        method: 'POST',
        timeout: TIMEOUT_MS,
        signal: AbortSignal.timeout(TIMEOUT_MS),
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(parcel.body),
          'user-agent': 'rollcall-webhook',
          'rollcall-event-id': parcel.eventId,
          'rollcall-timestamp': timestamp,
          'rollcall-signature': signatureOf(parcel.secret, timestamp, parcel.body),
        },
        ...(allowInside ? {} : { lookup: outsideOnly }),
      };
      const request = url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options);
      request.on('response', (response) => {
        resolve(judge(response.statusCode ?? 0));
        // What the answer says beyond its status is of no interest.
        response.on('error', () => undefined).destroy();
      });
      request.on('error', (error) => {
        const reason =
          error.name === 'AbortError' || error.name === 'TimeoutError' ? 'timeout' : error.message;
        resolve({ kind: reason === INSIDE ? 'refused' : 'failed', reason });
      });
      request.end(parcel.body);
    });
}

function judge(status: number): Delivery {
  if (status >= 200 && status < 300) return { kind: 'taken' };
  const refused = status >= 300 && status < 500 && !PASSING.has(status);
  return { kind: refused ? 'refused' : 'failed', reason: `status ${String(status)}` };
}
