import type { EpochMs } from '@rollcall/kernel';
import { fingerprintOf } from './fingerprint.ts';
import type { Subscription } from './model.ts';
import type { News, StateView } from './packages/package.ts';

export interface NotifyPlan {
  readonly final: boolean;
  /** Of the state that the body tells; empty when none is told. */
  readonly fingerprint: string;
  /** Entity-tag of that state (RFC 5839 §6.1), empty when none is told. */
  readonly etag: string;
  readonly contentType: string;
  /** Empty: the NOTIFY has none, nor a Content-Type. */
  readonly body: string;
}

/** RFC 3261 §8.1.1.6. */
const MAX_FORWARDS = 70;

/** Nothing is told of the state: the watcher is not confirmed yet, or never will be (RFC 6665 §4.2.1.3, RFC 3856 §6.6.2). */
const SILENT: NotifyPlan = { final: false, fingerprint: '', etag: '', contentType: '', body: '' };

/** True when the next NOTIFY of a subscription has no state to tell. */
export const tellsNothing = ({ access, reason }: Subscription): boolean =>
  access === 'pending' || reason === 'rejected' || reason === 'noresource';

/**
 * The body of the next NOTIFY. A partial document is right only when the one before it arrived; whoever calls knows, and
 * leaves `news` away otherwise (RFC 6665 §5.3.2). With `bodiless` the subscriber has the state already (RFC 5839 §6.2).
 */
export function planNotify(
  claimed: Subscription,
  view: StateView,
  final: boolean,
  news: News | undefined,
  bodiless = false,
): NotifyPlan {
  if (tellsNothing(claimed)) return final ? { ...SILENT, final } : SILENT;
  const { fingerprint } = view;
  const etag = entityTag(claimed, view);
  if (bodiless || claimed.quenched) return { final, fingerprint, etag, contentType: '', body: '' };
  const request = { type: claimed.accept, version: claimed.documents - 1, news };
  const contentType = view.contentType?.(request) ?? claimed.accept;
  return { final, fingerprint, etag, contentType, body: view.write(request) };
}

/** RFC 5839 §6.1: names a state of the resource, in the form that this subscriber is told it in. */
export const entityTag = ({ accept }: Pick<Subscription, 'accept'>, { fingerprint }: StateView): string =>
  fingerprintOf(`${accept} ${fingerprint}`);

/**
 * The NOTIFY of a claimed subscription (RFC 6665 §4.2.2, RFC 3261 §12.2.1.1), octets. `via` is the value of the Via
 * header; `trace` a W3C traceparent for the edge.
 */
export function writeNotify(
  subscription: Subscription,
  plan: NotifyPlan,
  via: string,
  now: EpochMs,
  trace?: string,
): string {
  const { id, remoteTarget, localUri, remoteUri, remoteTag, callId, localCseq, localTarget } = subscription;
  const event =
    subscription.eventId === '' ? subscription.package : `${subscription.package};id=${subscription.eventId}`;
  let message = `NOTIFY ${remoteTarget} SIP/2.0\r\nVia: ${via}\r\nMax-Forwards: ${MAX_FORWARDS}\r\n`;
  for (const route of subscription.route) message += `Route: ${route}\r\n`;
  message +=
    `From: <${localUri}>;tag=${id}\r\nTo: <${remoteUri}>${remoteTag === '' ? '' : `;tag=${remoteTag}`}\r\n` +
    `Call-ID: ${callId}\r\nCSeq: ${localCseq} NOTIFY\r\nContact: <${localTarget}>\r\n` +
    `Event: ${event}\r\nSubscription-State: ${stateOf(subscription, plan, now)}\r\n`;
  // RFC 4662 §4.1
  if (subscription.list !== undefined) message += 'Require: eventlist\r\n';
  if (plan.etag !== '') message += `SIP-ETag: ${plan.etag}\r\n`;
  if (trace !== undefined) message += `Traceparent: ${trace}\r\n`;
  if (plan.body === '') return `${message}Content-Length: 0\r\n\r\n`;
  return `${message}Content-Type: ${plan.contentType}\r\nContent-Length: ${plan.body.length}\r\n\r\n${plan.body}`;
}

/** RFC 6665 §4.1.3. */
function stateOf(subscription: Subscription, plan: NotifyPlan, now: EpochMs): string {
  const { reason, retryAfter, expiresAt, access, minInterval } = subscription;
  if (plan.final) {
    // §4.1.3: retry-after goes with these alone.
    const later = retryAfter > 0 && (reason === 'probation' || reason === 'giveup');
    return `terminated;reason=${reason}${later ? `;retry-after=${retryAfter}` : ''}`;
  }
  const rate = minInterval > 0 ? `;max-rate=${printRate(minInterval)}` : '';
  const expires = Math.max(0, Math.round((expiresAt - now) / 1000));
  return `${access === 'pending' ? 'pending' : 'active'};expires=${expires}${rate}`;
}

/** RFC 6446 §5.2, §9.2: the rate that is kept, NOTIFYs in a second. */
const RATE_DIGITS = 10;
const printRate = (minInterval: number): string =>
  (1000 / minInterval).toFixed(RATE_DIGITS).replace(/\.?0+$/, '');
