import { respond, type SipRequest, writeRequest } from '@rollcall/sip';

/**
 * What an inner connection begins with: the formats of inner SIP that each side speaks, from the oldest to the newest. The side that
 * connects says it in an OPTIONS that goes no further (RFC 3261 §11, Max-Forwards 0), the other one in its answer. Both then speak the
 * highest that they share. Who says nothing, or answers anything but 200 and 505, is of a version before this one and speaks format 1.
 */
export interface InnerFormats {
  readonly oldest: number;
  readonly newest: number;
}

/** 1: Path, Route, P-Asserted-Identity and the X-Rollcall headers as ARCHITECTURE.md has them. */
export const INNER_FORMATS: InnerFormats = { oldest: 1, newest: 1 };

const HEADER = 'Rollcall-Inner';
/** RFC 3261 §21.5.6. */
export const NOT_SUPPORTED = 505;

const headerLine = ({ oldest, newest }: InnerFormats): string =>
  `${HEADER}: ${String(oldest)}-${String(newest)}\r\n`;

export function writeHello(host: string, branch: string, formats: InnerFormats): string {
  const uri = `sip:${host}`;
  return writeRequest('OPTIONS', uri, {
    headers:
      `Via: SIP/2.0/TCP ${host};branch=${branch}\r\nMax-Forwards: 0\r\nFrom: <${uri}>;tag=${branch.slice(7)}\r\nTo: <${uri}>\r\n` +
      `Call-ID: ${branch.slice(7)}\r\nCSeq: 1 OPTIONS\r\n${headerLine(formats)}`,
  });
}

/** The answer to a hello; undefined when the request is none. */
export function answerHello(
  request: SipRequest,
  formats: InnerFormats,
  toTag: string,
): { readonly message: string; readonly shared: boolean } | undefined {
  if (request.method !== 'OPTIONS') return undefined;
  const match = /^(\d{1,6})-(\d{1,6})$/.exec(request.header(HEADER.toLowerCase()) ?? '');
  if (match === null) return undefined;
  const shared = Number(match[1]) <= formats.newest && Number(match[2]) >= formats.oldest;
  const headers = headerLine(formats);
  return { message: respond(request, shared ? 200 : NOT_SUPPORTED, { toTag, headers }), shared };
}
