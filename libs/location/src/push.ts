import { parseUri } from '@rollcall/sip';
import type { SipUri } from '@rollcall/sip';

/** What a Contact URI says of push notifications (RFC 8599 §8.7). */
export interface PushParams {
  /** Type of the push notification service; empty in a query for all of them (§4.1.5). */
  readonly provider: string;
  /** Push resource id; without it nothing can be pushed. */
  readonly prid?: string;
  readonly param?: string;
}

/** The `pn-*` parameters of a Contact; undefined when it has no `pn-provider`. */
export function pushParams(uri: SipUri): PushParams | undefined {
  const { params } = uri;
  if (!params.has('pn-provider')) return undefined;
  const provider = params.get('pn-provider')?.toLowerCase() ?? '';
  const prid = params.get('pn-prid');
  const param = params.get('pn-param');
  return { provider, ...(prid === undefined ? {} : { prid }), ...(param === undefined ? {} : { param }) };
}

/** The services whose registrations need `pn-param` as well (RFC 8599 §10, §11; not §12). */
const WITH_PARAM: ReadonlySet<string> = new Set(['apns', 'fcm']);

/** True when the device can be woken with what it has told (RFC 8599 §5.6.1.1). */
export const canWake = (push: PushParams): boolean =>
  push.provider !== '' &&
  push.prid !== undefined &&
  (push.param !== undefined || !WITH_PARAM.has(push.provider));

/**
 * True when two Contact URIs are of one push registration (RFC 8599 §5.3, the lenient rule: the `pn-*` parameters decide, because a
 * device that was woken may come back from another address).
 */
export function samePush(one: string, other: string): boolean {
  const [a, b] = [read(one), read(other)];
  return a !== undefined && b !== undefined && PN.every((name) => a.params.get(name) === b.params.get(name));
}

const PN = ['pn-provider', 'pn-prid', 'pn-param'] as const;
const PN_PARAM = /;pn-(?:provider|prid|param)(?:=[^;?>]*)?/gi;

function read(text: string): SipUri | undefined {
  const uri = parseUri(text);
  return uri.ok && uri.value.kind === 'sip' && uri.value.params.has('pn-prid') ? uri.value : undefined;
}

/** A Contact URI as others than its owner may see it, such as watchers of its registrations: without `pn-*` (RFC 8599 §4.1, §13). */
export const withoutPush = (contact: string): string => contact.replace(PN_PARAM, '');
