/** SIP-message = Request / Response (RFC 3261 §7, §25.1). */
import { CAPACITY, load } from '../grammar/octets.ts';
import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import { CR, LF, SP } from '../grammar/chars.ts';
import { readDigits, scanToken, spells } from '../grammar/scan.ts';
import { methodAtStart } from '../methods.ts';
import { flaw } from '../problem.ts';
import type { ParseProblem } from '../problem.ts';
import { LIMITS } from './limits.ts';
import { indexLines, tooLarge } from './line-index.ts';
import type { LineIndex } from './line-index.ts';
import { SipRequest } from './request.ts';
import { SipResponse } from './response.ts';

/**
 * Reads the start line and finds the header lines; everything else is read when asked for.
 * A problem in a request carries what could be indexed of it (`problem.request`), so that it can be refused.
 *
 * Departures, all of them of the line ends: LF alone ends a line as CRLF does (the archive of RFC 5118, Aastra);
 * CRLFs before the start line are skipped (RFC 3261 §7.5 wants that of streams); a datagram that ends after
 * a complete header line needs no empty line (archive of RFC 5118). `raw` of the result has all of that put right.
 */
export function parseMessage(octets: string): Result<SipRequest | SipResponse, ParseProblem> {
  if (octets.length > CAPACITY) return tooLong;
  let raw = octets;
  if (raw.charCodeAt(0) <= SP) raw = withoutLeadingLines(raw);
  let lineEnd = raw.indexOf('\n');
  if (lineEnd < 0)
    return raw === '' ? flaw('empty', 0, 'no message') : flaw('start-line', 0, 'no start line');
  if (raw.charCodeAt(lineEnd - 1) !== CR) {
    raw = withCrLf(raw);
    lineEnd = raw.indexOf('\n');
  }
  load(raw);
  let index = indexLines(raw, lineEnd + 1);
  if (index.ending === 'lf') {
    raw = withCrLf(raw);
    lineEnd = raw.indexOf('\n');
    load(raw);
    index = indexLines(raw, lineEnd + 1);
  }
  if (index.ending === 'open') {
    raw = `${raw.slice(0, index.headEnd)}\r\n`;
    load(raw);
  }
  return raw.startsWith('SIP/') || spells(0, 4, 'sip/')
    ? readResponse(raw, lineEnd - 1, index)
    : readRequest(raw, lineEnd - 1, index);
}

const tooLong = err(tooLarge('message-too-large', 0, 'the message', CAPACITY));

function sizeProblem(raw: string, index: LineIndex): ParseProblem | undefined {
  if (index.problem !== undefined) return index.problem;
  const { headEnd } = index;
  if (headEnd > LIMITS.headBytes) return tooLarge('head-too-large', 0, 'the head', LIMITS.headBytes);
  if (raw.length - headEnd - 2 <= LIMITS.bodyBytes) return undefined;
  // RFC 3261 §21.4.11: the body is larger than the server is willing to process
  return flaw('body-too-large', headEnd, `a body of more than ${String(LIMITS.bodyBytes)} octets`, 413).error;
}

/** Request-Line = Method SP Request-URI SP SIP-Version CRLF */
function readRequest(raw: string, end: number, index: LineIndex): Result<SipRequest, ParseProblem> {
  const methodEnd = scanToken(0, end);
  if (methodEnd < 0 || raw.charCodeAt(methodEnd) !== SP) {
    return flaw('start-line', Math.max(methodEnd, 0), 'a request begins with a method and one space');
  }
  const uriStart = methodEnd + 1;
  let uriEnd = uriStart;
  while (uriEnd < end && raw.charCodeAt(uriEnd) > SP) uriEnd += 1;
  const request = new SipRequest(raw, index, methodAtStart(raw, methodEnd), raw.slice(uriStart, uriEnd));
  const problem = versionProblem(raw, uriStart, uriEnd, end) ?? sizeProblem(raw, index);
  return problem === undefined ? ok(request) : err({ ...problem, request });
}

function versionProblem(
  raw: string,
  uriStart: number,
  uriEnd: number,
  end: number,
): ParseProblem | undefined {
  const version = uriEnd + 1;
  if (uriEnd > uriStart && end - version === 7 && raw.startsWith(' SIP/2.0', uriEnd)) return undefined;
  if (uriEnd === uriStart || raw.charCodeAt(uriEnd) !== SP || !spells(version, version + 4, 'sip/')) {
    return flaw('start-line', uriEnd, 'not Method SP Request-URI SP SIP-Version').error;
  }
  // SIP-Version = "SIP" "/" 1*DIGIT "." 1*DIGIT; case-insensitive (§7.1)
  const dot = raw.indexOf('.', version);
  if (dot < 0 || dot > end || readDigits(version + 4, dot) < 0 || readDigits(dot + 1, end) < 0) {
    return flaw('start-line', version, 'not a SIP version').error;
  }
  if (readDigits(version + 4, dot) === 2 && readDigits(dot + 1, end) === 0) return undefined;
  return flaw('version', version, 'a SIP version other than 2.0', 505).error;
}

/** Status-Line = SIP-Version SP Status-Code SP Reason-Phrase CRLF */
function readResponse(raw: string, end: number, index: LineIndex): Result<SipResponse, ParseProblem> {
  if (!spells(0, 8, 'sip/2.0 ')) return flaw('version', 0, 'a response of another version than SIP/2.0', 505);
  // extension-code = 3DIGIT; RFC 4475 §3.1.2.19: a code past 699 is dropped
  const status = raw.charCodeAt(11) === SP && end > 11 ? readDigits(8, 11) : -1;
  if (status < 100 || status > 699) return flaw('status-code', 8, 'not a status code of three digits');
  const problem = sizeProblem(raw, index);
  return problem === undefined ? ok(new SipResponse(raw, index, status, raw.slice(12, end))) : err(problem);
}

/** RFC 3261 §7.5: CRLF before the start line is ignored. */
function withoutLeadingLines(raw: string): string {
  let i = 0;
  while (raw.charCodeAt(i) === CR || raw.charCodeAt(i) === LF) i += 1;
  return i === 0 ? raw : raw.slice(i);
}

/** The message with every line of its head ended by CRLF; the body stays as it is. */
function withCrLf(raw: string): string {
  let at = 0;
  for (;;) {
    const lf = raw.indexOf('\n', at);
    if (lf < 0) return raw.replace(/\r?\n/g, '\r\n');
    const next = lf + 1;
    const blank =
      raw.charCodeAt(next) === LF
        ? 1
        : raw.charCodeAt(next) === CR && raw.charCodeAt(next + 1) === LF
          ? 2
          : 0;
    if (blank > 0) return `${raw.slice(0, next).replace(/\r?\n/g, '\r\n')}\r\n${raw.slice(next + blank)}`;
    at = next;
  }
}
