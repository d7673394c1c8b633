import { readFlowToken } from '@rollcall/location';
import type { Binding, EdgeLease } from '@rollcall/location';

/** True for a binding that leads nowhere, as far as one knows. */
export type IsUnreachable = (binding: Binding) => boolean;

/** What the binding itself says: somebody has asked the device, and it did not answer. */
export const isKnownUnreachable: IsUnreachable = ({ reachability }) => reachability?.reachable === false;

/**
 * Besides, bindings whose flow is gone, as the edges that live say: their edge has no lease, or it has started anew and the flow
 * was a connection. A UDP flow is but an address and outlives its edge's restart. A Path that is not of our edges says nothing.
 */
export function unreachableUnder(leases: readonly EdgeLease[]): IsUnreachable {
  const epochs = new Map(leases.map(({ id, epoch }) => [id, epoch]));
  return (binding) => {
    if (isKnownUnreachable(binding)) return true;
    const ref = readFlowToken(tokenOf(binding.path[0] ?? ''));
    if (ref === undefined) return false;
    const epoch = epochs.get(ref.edge);
    return epoch === undefined || (epoch !== ref.epoch && !ref.flow.startsWith('u'));
  };
}

/** The user part of `<sip:user@host…>`. */
function tokenOf(path: string): string {
  const start = path.indexOf('sip:') + 'sip:'.length;
  return path.slice(start, Math.max(start, path.indexOf('@', start)));
}
