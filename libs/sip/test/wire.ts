import { readFileSync, readdirSync } from 'node:fs';
import { checkRequest, checkResponse, parseMessage } from '../src/index.ts';
import type { ParseProblem, SipRequest, SipResponse } from '../src/index.ts';

const FIXTURES = new URL('../fixtures/', import.meta.url);

/** A fixture as an octet string. */
export const fixture = (file: string): string => readFileSync(new URL(file, FIXTURES), 'latin1');

export const fixturesIn = (folder: string): readonly string[] =>
  readdirSync(new URL(folder, FIXTURES))
    .filter((file) => file.endsWith('.sip'))
    .map((file) => `${folder}/${file}`);

export const lines = (...text: readonly string[]): string => text.map((line) => `${line}\r\n`).join('');

/** A whole request around the header lines that a test is about. */
export function registerWith(...headers: readonly string[]): string {
  return lines(
    'REGISTER sip:example.test SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKtest',
    'From: <sip:alice@example.test>;tag=1',
    'To: <sip:alice@example.test>',
    'Call-ID: c1',
    'CSeq: 1 REGISTER',
    ...headers,
    'Content-Length: 0',
    '',
  );
}

export function messageOf(raw: string): SipRequest | SipResponse {
  const parsed = parseMessage(raw);
  if (!parsed.ok) throw new Error(`${parsed.error.code}: ${parsed.error.detail}`);
  return parsed.value;
}

export function requestOf(raw: string): SipRequest {
  const message = messageOf(raw);
  if (message.kind !== 'request') throw new Error('not a request');
  return message;
}

export function responseOf(raw: string): SipResponse {
  const message = messageOf(raw);
  if (message.kind !== 'response') throw new Error('not a response');
  return message;
}

export function valueOf<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: ParseProblem },
): T {
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.detail}`);
  return result.value;
}

export function problemOf(
  result: { readonly ok: true } | { readonly ok: false; readonly error: ParseProblem },
): ParseProblem {
  if (result.ok) throw new Error('no problem');
  return result.error;
}

/** What the layer above learns of a message as a whole: nothing, or the first problem. */
export function verdict(raw: string, stream: boolean): ParseProblem | undefined {
  const parsed = parseMessage(raw);
  if (!parsed.ok) return parsed.error;
  const message = parsed.value;
  return message.kind === 'request' ? checkRequest(message, { stream }) : checkResponse(message);
}

/** Every typed accessor, with its outcome. */
export function readTyped(
  message: SipRequest | SipResponse,
): readonly (readonly [string, { ok: boolean; error?: ParseProblem }])[] {
  return [
    ['via', message.topVia()],
    ['vias', message.vias()],
    ['from', message.from()],
    ['to', message.to()],
    ['callId', message.callId()],
    ['cseq', message.cseq()],
    ['contacts', message.contacts()],
    ['maxForwards', message.maxForwards()],
    ['expires', message.expires()],
    ['routes', message.routes()],
    ['recordRoutes', message.recordRoutes()],
    ['paths', message.paths()],
    ['assertedIdentities', message.assertedIdentities()],
    ['authorization', message.authorization()],
    ['proxyAuthorization', message.proxyAuthorization()],
    ['event', message.event()],
    ['accept', message.accept()],
    ['contentLength', message.contentLength()],
    ...(message.kind === 'request' ? ([['uri', message.uri()]] as const) : []),
  ];
}
