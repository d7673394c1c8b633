import { algorithmNamed, HEX_DIGITS } from './algorithm.ts';
import type { Algorithm } from './algorithm.ts';

/** The parameters of one `Digest` credential, names in lower case, values without quotes. */
export type CredentialParams = ReadonlyMap<string, string>;

/** What a client answered to a challenge (RFC 7616 §3.4). */
export interface Answer {
  readonly kind: 'answer';
  readonly algorithm: Algorithm;
  readonly username: string;
  /** True when `username` is H(username ":" realm) (RFC 7616 §3.4.4). */
  readonly userhash: boolean;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  readonly response: string;
  /** Undefined for an answer in the manner of RFC 2069, which has neither `qop` nor `cnonce`. */
  readonly auth: { readonly nc: number; readonly ncText: string; readonly cnonce: string } | undefined;
}

export type ReadAnswer =
  | Answer
  /** Nothing was answered yet: an empty nonce or response before the first challenge (RFC 8760 §2.7). */
  | { readonly kind: 'empty' }
  /** An algorithm that was not offered, `-sess` included: challenge again. */
  | { readonly kind: 'unoffered'; readonly detail: string }
  /** Improper or missing parameters: "the proper response is a 4xx" (RFC 7616 §3.4). */
  | { readonly kind: 'malformed'; readonly detail: string };

const EMPTY: ReadAnswer = { kind: 'empty' };
const malformed = (detail: string): ReadAnswer => ({ kind: 'malformed', detail });

/** Reads one credential into an answer, or says why it is none. Never throws. */
export function readAnswer(params: CredentialParams): ReadAnswer {
  const nonce = params.get('nonce');
  const response = params.get('response');
  if (nonce === '' || response === '') return EMPTY;
  const realm = params.get('realm');
  const uri = params.get('uri');
  if (nonce === undefined || response === undefined || realm === undefined || uri === undefined) {
    return malformed('nonce, response, realm and uri are mandatory');
  }
  const username = readUsername(params);
  if (username === undefined) return malformed('one of username and username* is mandatory');
  const algorithm = algorithmNamed(params.get('algorithm'));
  if (algorithm === undefined)
    return { kind: 'unoffered', detail: `algorithm ${params.get('algorithm') ?? ''}` };
  if (response.length !== HEX_DIGITS[algorithm])
    return malformed('response has a wrong length for its algorithm');
  const userhash = params.get('userhash')?.toLowerCase() === 'true';

  const qop = params.get('qop');
  if (qop === undefined) {
    return { kind: 'answer', algorithm, username, userhash, realm, nonce, uri, response, auth: undefined };
  }
  if (qop !== 'auth' && qop.toLowerCase() !== 'auth') return malformed('qop was not offered');
  const cnonce = params.get('cnonce');
  if (cnonce === undefined || cnonce === '') return malformed('qop without cnonce');
  const ncText = params.get('nc');
  const nc = ncText === undefined ? undefined : readNc(ncText);
  if (ncText === undefined || nc === undefined) return malformed('nc is not 8 hex digits');
  return {
    kind: 'answer',
    algorithm,
    username,
    userhash,
    realm,
    nonce,
    uri,
    response,
    auth: { nc, ncText, cnonce },
  };
}

/** RFC 7616 §3.4: sending both `username` and `username*` is an error. */
function readUsername(params: CredentialParams): string | undefined {
  const plain = params.get('username');
  const extended = params.get('username*');
  if (extended === undefined) return plain;
  return plain === undefined ? readExtended(extended) : undefined;
}

/** ext-value of RFC 5987 §3.2.1, `UTF-8''J%C3%A4s%C3%B8n%20Doe`, to octets. */
function readExtended(text: string): string | undefined {
  const match = /^utf-8'[A-Za-z0-9-]*'((?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9A-Fa-f]{2})*)$/i.exec(text);
  const value = match?.[1];
  if (value === undefined) return undefined;
  return value.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

/** nc-value = 8LHEX (RFC 7616 §3.4: "the nc value MUST be exactly 8 hexadecimal digits"); zero counts nothing. */
function readNc(text: string): number | undefined {
  if (text.length !== 8) return undefined;
  let value = 0;
  for (let i = 0; i < 8; i += 1) {
    const digit = hexDigit(text.charCodeAt(i));
    if (digit < 0) return undefined;
    value = value * 16 + digit;
  }
  return value === 0 ? undefined : value;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
