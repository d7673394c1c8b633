import { parseUri } from '@rollcall/sip';
import type { SipUri } from '@rollcall/sip';
import type { SubscriptionId } from './model.ts';

/** The URI inside a name-addr of a route set, which always has its angle brackets (RFC 3261 §20.30). */
export function routeUri(route: string): SipUri | undefined {
  const open = route.indexOf('<');
  const close = route.indexOf('>', open);
  if (open < 0 || close < 0) return undefined;
  const uri = parseUri(route.slice(open + 1, close));
  return uri.ok && uri.value.kind === 'sip' ? uri.value : undefined;
}

/**
 * Our Contact in the dialog: the advertised address of the edge next to us, with the transport of the subscriber's flow,
 * so that the refresh comes back the same way (acceptance E18) and no inner address is seen outside.
 */
export function localTargetOf(id: SubscriptionId, route: readonly string[], ownAddress: string): string {
  const top = route[0] === undefined ? undefined : routeUri(route[0]);
  if (top === undefined) return `sip:${id}@${ownAddress};transport=tcp`;
  const port = top.port === undefined ? '' : `:${top.port}`;
  const transport = top.params.get('transport');
  return `${top.secure ? 'sips' : 'sip'}:${id}@${top.host}${port}${transport === undefined ? '' : `;transport=${transport}`}`;
}
