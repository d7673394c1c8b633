import { respond } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import type { Subscription } from './model.ts';
import { REFUSALS } from './refusals.ts';
import type { Refusal, RefusalRow } from './refusals.ts';

/** 200 to a SUBSCRIBE (RFC 6665 §4.2.1.1): duration, our Contact, and the route set as RFC 3261 §12.1.1 wants it back. */
export function renderAccepted(request: SipRequest, subscription: Subscription, expires: number): string {
  return accept(request, subscription, expires, 200);
}

/** 204 (No Notification) to a SUBSCRIBE whose condition holds (RFC 5839 §6.3). */
export function renderSuppressed(request: SipRequest, subscription: Subscription, expires: number): string {
  return accept(request, subscription, expires, 204);
}

function accept(request: SipRequest, subscription: Subscription, expires: number, status: 200 | 204): string {
  let headers = '';
  for (const route of request.headers('record-route')) headers += `Record-Route: ${route}\r\n`;
  headers += `Contact: <${subscription.localTarget}>\r\nExpires: ${expires}\r\n`;
  // RFC 4662 §4.1
  if (subscription.list !== undefined) headers += 'Require: eventlist\r\n';
  return respond(request, status, { toTag: subscription.id, headers });
}

/** Any refusal, from its row. `toTag` is for requests outside a dialog; `retryAfter` in seconds where the row says `retry`. */
export function renderRefusal(
  request: SipRequest,
  refused: Refusal,
  toTag: string,
  retryAfter: number,
): string {
  const row: RefusalRow = REFUSALS[refused.label];
  const headers = row.retry === true ? `${refused.headers}Retry-After: ${retryAfter}\r\n` : refused.headers;
  const reason = row.reason === undefined ? {} : { reason: row.reason };
  return respond(request, row.status, { ...reason, toTag, headers });
}

/** 200 to a PUBLISH (RFC 3903 §6 step 6). */
export function renderPublished(request: SipRequest, etag: string, expires: number, toTag: string): string {
  return respond(request, 200, { toTag, headers: `SIP-ETag: ${etag}\r\nExpires: ${expires}\r\n` });
}
