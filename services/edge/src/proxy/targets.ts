import type { Binding } from '@rollcall/location';
import { parseUri } from '@rollcall/sip';
import type { TransportName } from '@rollcall/sip-transaction';
import type { FlowNames } from '../flow-names.ts';
import type { Egress } from './egress.ts';
import type { Target } from './response-context.ts';

/** RFC 3261 §20.10: a Contact without q; §16.6 leaves the value to the proxy. */
const DEFAULT_Q = 1_000;
/** Where a URI points when it names no port (RFC 3261 §19.1.2). */
const DEFAULT_SIP_PORT = 5060;

/** The live bindings of an AoR in groups of equal q, highest first (RFC 3261 §16.6). */
export function groupByQ(bindings: readonly Binding[], now: number): Binding[][] {
  const live = bindings.filter((binding) => binding.expiresAt > now);
  live.sort((a, b) => (b.q ?? DEFAULT_Q) - (a.q ?? DEFAULT_Q) || b.refreshedAt - a.refreshedAt);
  const groups: Binding[][] = [];
  let q: number | undefined;
  for (const binding of live) {
    const own = binding.q ?? DEFAULT_Q;
    if (own === q) groups.at(-1)?.push(binding);
    else groups.push([binding]);
    q = own;
  }
  return groups;
}

/**
 * A binding as a target: its Contact is the Request-URI, its Path the route (RFC 3327 §5.4), whose first value, added by the
 * edge it registered through, names the flow. Undefined for a binding that leads nowhere.
 */
export function targetOf(binding: Binding, names: FlowNames, egress: Egress): Target | undefined {
  const [first, ...rest] = binding.path;
  if (first === undefined) return directTarget(binding.contact, egress);
  const token = userOf(first);
  const ref = token === undefined ? undefined : names.read(token);
  if (ref === undefined) return undefined;
  return {
    onward: { requestUri: binding.contact, route: first, rest },
    resolve: (done) => {
      egress.resolve(ref, done);
    },
  };
}

/** A binding without a Path did not come through an edge: its Contact is where it is. */
function directTarget(contact: string, egress: Egress): Target | undefined {
  const address = addressOf(contact);
  if (address === undefined) return undefined;
  return {
    onward: { requestUri: contact, route: undefined, rest: [] },
    resolve: (done) => {
      done(egress.direct(address.transport, address.address, address.port));
    },
  };
}

const IP_LITERAL = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\])$/;

/** The transport address that a URI with a literal host names; undefined for names, which are not looked up. */
export function addressOf(
  text: string,
): { transport: TransportName; address: string; port: number } | undefined {
  const uri = parseUri(text);
  if (!uri.ok || uri.value.kind !== 'sip' || !IP_LITERAL.test(uri.value.host)) return undefined;
  const { host, port, params } = uri.value;
  const transport = params.get('transport')?.toLowerCase() === 'tcp' ? 'tcp' : 'udp';
  return {
    transport,
    address: host.startsWith('[') ? host.slice(1, -1) : host,
    port: port ?? DEFAULT_SIP_PORT,
  };
}

/** The user part of `<sip:user@host…>`, as the edge writes it. */
function userOf(nameAddr: string): string | undefined {
  const start = nameAddr.indexOf('sip:');
  const end = nameAddr.indexOf('@', start);
  return start < 0 || end < 0 ? undefined : nameAddr.slice(start + 4, end);
}
