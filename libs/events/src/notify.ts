import type { EpochMs } from '@rollcall/kernel';
import type { Subscription } from './model.ts';
import type { News, StateView } from './packages/package.ts';

export interface NotifyPlan {
  readonly final: boolean;
  /** Of the state that the body tells. */
  readonly fingerprint: string;
  readonly contentType: string;
  readonly body: string;
}

/** RFC 3261 §8.1.1.6. */
const MAX_FORWARDS = 70;

/**
 * The body of the next NOTIFY. A partial document is right only when the one before it arrived; whoever calls knows, and
 * leaves `news` away otherwise (RFC 6665 §5.3.2).
 */
export function planNotify(
  claimed: Subscription,
  view: StateView,
  final: boolean,
  news: News | undefined,
): NotifyPlan {
  const request = { type: claimed.accept, version: claimed.documents - 1, news };
  const contentType = view.contentType?.(request) ?? claimed.accept;
  return { final, fingerprint: view.fingerprint, contentType, body: view.write(request) };
}

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
  if (trace !== undefined) message += `Traceparent: ${trace}\r\n`;
  return `${message}Content-Type: ${plan.contentType}\r\nContent-Length: ${plan.body.length}\r\n\r\n${plan.body}`;
}

function stateOf(subscription: Subscription, plan: NotifyPlan, now: EpochMs): string {
  if (plan.final) return 'terminated;reason=timeout';
  return `active;expires=${Math.max(0, Math.round((subscription.expiresAt - now) / 1000))}`;
}
