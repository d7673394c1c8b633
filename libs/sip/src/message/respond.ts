/** Printing messages: the response to a request (RFC 3261 §8.2.6), and a request of our own. */
import { reasonPhrase } from '../status.ts';
import { ID } from './header-fields.ts';
import { firstValueEnd } from './values.ts';
import type { SipRequest } from './request.ts';

export interface RespondOptions {
  /** Instead of the default phrase of the status. */
  readonly reason?: string | undefined;
  /** Put on the To when the request has no To tag; without "tag=". */
  readonly toTag?: string | undefined;
  /** The topmost Via as the transport has completed it (`viaFrom`), instead of the one received. */
  readonly topVia?: string | undefined;
  /** Whole header lines, each with its CRLF. */
  readonly headers?: string | undefined;
  readonly body?: string | undefined;
  readonly contentType?: string | undefined;
}

/**
 * The response to a request: Via stack, From, To, Call-ID and CSeq are the request's octets, in the order of the RFC's
 * text. Header fields that the request lacks are left out, so that malformed requests can be refused too.
 */
export function respond(request: SipRequest, status: number, options: RespondOptions = {}): string {
  let head = `SIP/2.0 ${String(status)} ${options.reason ?? reasonPhrase(status)}\r\n`;
  head += viaLines(request, options.topVia);
  head += lineOf(request, ID.from);
  head += toLine(request, options.toTag);
  head += lineOf(request, ID.callId);
  head += lineOf(request, ID.cseq);
  // §8.2.6.1: the Timestamp of a request comes back in its 100
  if (status === 100) head += lineOf(request, ID.timestamp);
  if (options.headers !== undefined) head += options.headers;
  return withBody(head, options.body, options.contentType);
}

export interface RequestOptions {
  /** Whole header lines, each with its CRLF: Via, Max-Forwards, From, To, Call-ID, CSeq and the rest. */
  readonly headers: string;
  readonly body?: string | undefined;
  readonly contentType?: string | undefined;
}

/** Prints a request; Content-Type and Content-Length are added. */
export function writeRequest(method: string, requestUri: string, options: RequestOptions): string {
  return withBody(`${method} ${requestUri} SIP/2.0\r\n${options.headers}`, options.body, options.contentType);
}

function withBody(head: string, body: string | undefined, contentType: string | undefined): string {
  if (body === undefined || body === '') return `${head}Content-Length: 0\r\n\r\n`;
  const type = contentType === undefined ? '' : `Content-Type: ${contentType}\r\n`;
  return `${head}${type}Content-Length: ${String(body.length)}\r\n\r\n${body}`;
}

function lineOf({ index, raw }: SipRequest, id: number): string {
  const line = index.find(id);
  return line < 0 ? '' : raw.slice(index.start(line), index.end(line));
}

/** The Via values "MUST equal the Via header field values in the request and MUST maintain the same ordering". */
function viaLines({ index, raw }: SipRequest, topVia: string | undefined): string {
  let lines = '';
  let top = topVia;
  for (let line = index.find(ID.via); line >= 0; line = index.find(ID.via, line + 1)) {
    if (top === undefined) {
      lines += raw.slice(index.start(line), index.end(line));
      continue;
    }
    const valueStart = index.valueStart(line);
    lines += `Via: ${top}${raw.slice(firstValueEnd(raw, valueStart, index.valueEnd(line)), index.end(line))}`;
    top = undefined;
  }
  return lines;
}

/** "If the To header field in the request did not contain a tag … the UAS MUST add a tag". */
function toLine(request: SipRequest, tag: string | undefined): string {
  const { index, raw } = request;
  const line = index.find(ID.to);
  if (line < 0) return '';
  if (tag === undefined || !request.isToUntagged()) return raw.slice(index.start(line), index.end(line));
  return `${raw.slice(index.start(line), index.valueEnd(line))};tag=${tag}\r\n`;
}
