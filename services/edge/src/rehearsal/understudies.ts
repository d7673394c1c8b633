import { respond, writeRequest } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import { newBranch } from '../hop.ts';

/** Sends a request to the edge's inner listener. */
export type ToEdge = (branch: string, message: string) => void;
export type InnerHandler = (request: SipRequest, reply: (message: string) => void) => void;

/** Answers REGISTER as the registrar does. */
export const registrarUnderstudy: InnerHandler = (request, reply) => {
  const contact = request.header('contact') ?? '';
  const date = new Date().toUTCString();
  reply(respond(request, 200, { toTag: TAG, headers: `Contact: ${contact}\r\nDate: ${date}\r\n` }));
};

/** Answers SUBSCRIBE and PUBLISH as presence does, and tells the subscriber of each. */
export function presenceUnderstudy(toEdge: ToEdge): InnerHandler {
  const watches = new Map<string, SipRequest>();
  let serial = 0;
  const notify = (watch: SipRequest): void => {
    serial += 1;
    const branch = newBranch();
    toEdge(branch, notifyOf(watch, branch, serial));
  };
  return (request, reply) => {
    if (request.method === 'SUBSCRIBE') {
      watches.set(request.requestUri, request);
      const route = request.header('record-route') ?? '';
      const headers = `Record-Route: ${route}\r\nContact: <sip:${TAG}@127.0.0.1>\r\nExpires: 600\r\n`;
      reply(respond(request, 200, { toTag: TAG, headers }));
    } else reply(respond(request, 200, { toTag: TAG, headers: `SIP-ETag: ${TAG}\r\nExpires: 600\r\n` }));
    const watch = watches.get(request.requestUri);
    if (watch !== undefined) notify(watch);
  };
}

const TAG = 'understudy';
const BODY =
  '<?xml version="1.0" encoding="UTF-8"?>\n<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:rehearsal">' +
  '<tuple id="t1"><status><basic>open</basic></status></tuple></presence>';

/** RFC 6665 §4.2.2. */
function notifyOf(watch: SipRequest, branch: string, serial: number): string {
  const target = /<([^>]*)>/.exec(watch.header('contact') ?? '')?.[1] ?? '';
  return writeRequest('NOTIFY', target, {
    headers:
      `Via: SIP/2.0/TCP 127.0.0.1;branch=${branch}\r\nMax-Forwards: 70\r\n` +
      `Route: ${watch.header('record-route') ?? ''}\r\n` +
      `From: ${watch.header('to') ?? ''};tag=${TAG}\r\nTo: ${watch.header('from') ?? ''}\r\n` +
      `Call-ID: ${watch.header('call-id') ?? ''}\r\nCSeq: ${String(serial)} NOTIFY\r\n` +
      `Contact: <sip:${TAG}@127.0.0.1>\r\nEvent: presence\r\nSubscription-State: active;expires=600\r\n`,
    body: BODY,
    contentType: 'application/pidf+xml',
  });
}
