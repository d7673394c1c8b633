import type { InnerLink, NativeFront, NetLimits } from '@rollcall/sip-net';
import type { EdgeConfig } from './config.ts';
import type { CoreOptions, EdgeCore } from './core.ts';
import type { Bound } from './metrics.ts';
import { MAX_ASKED } from './sender-check.ts';

/** Requests that wait for the answer of a registrar or a presence. */
export const INNER_PENDING = 20_000;
/** Octets of a message that is kept: a datagram's worth would let one user fill what is meant for many. */
const OFFLINE_OCTETS = 8_192;
/** Devices waited for, bindings asked, calls followed at one time (invariant 9). */
const PUSH_LIMIT = 10_000;
const QUALIFY_LIMIT = 200_000;
const DIALOG_LIMIT = 20_000;
const MS_PER_S = 1_000;

/** What the core does for calls, as configured. */
export function callOptions(
  config: EdgeConfig,
): Pick<CoreOptions, 'trusted' | 'guard' | 'push' | 'offline' | 'qualify' | 'dialogs' | 'profiles'> {
  return {
    trusted: { networks: config.trustedPeers, names: config.trustedNames },
    guard: {
      exempt: config.guardExempt,
      guessesPerName: config.guardNameGuesses,
      guessesPerAddress: config.guardAddressGuesses,
      scansPerAddress: config.guardAddressScans,
      banMs: config.guardBanS * MS_PER_S,
    },
    push: { waitMs: config.pushWaitS * MS_PER_S, limit: PUSH_LIMIT },
    offline: config.offlineMessages
      ? {
          messages: config.offlineMessagesLimit,
          octets: OFFLINE_OCTETS,
          ttlMs: config.offlineMessagesTtlS * MS_PER_S,
        }
      : undefined,
    qualify:
      config.qualifyS > 0 ? { intervalMs: config.qualifyS * MS_PER_S, limit: QUALIFY_LIMIT } : undefined,
    dialogs: config.dialogStates ? { calls: DIALOG_LIMIT } : undefined,
    profiles: config.profileUrl !== '',
  };
}

export interface Bounded {
  readonly config: EdgeConfig;
  readonly net: NetLimits;
  readonly core: EdgeCore;
  readonly front: NativeFront;
  readonly registrar: InnerLink;
  readonly presence: InnerLink;
}

/** Everything in the edge that grows with traffic, with its limit (invariant 9). */
export function boundsOf({ config, net, core, front, registrar, presence }: Bounded): readonly Bound[] {
  const size = (name: keyof ReturnType<NativeFront['sizes']>) => () => front.sizes()[name];
  return [
    { queue: 'users', limit: config.userCache, size: () => core.users.size },
    { queue: 'senders-asked', limit: MAX_ASKED, size: () => core.senders.asked },
    { queue: 'nonces', limit: config.nonceLimit, size: () => core.nonces.counted },
    { queue: 'server-transactions', limit: net.maxServerTransactions, size: size('pending') },
    { queue: 'completed-transactions', limit: net.maxCompletedTransactions, size: size('completed') },
    { queue: 'client-transactions', limit: net.maxClientTransactions, size: size('clients') },
    { queue: 'answered-clients', limit: net.maxAnsweredClients, size: size('answered') },
    { queue: 'connections', limit: config.maxConnections, size: size('connections') },
    { queue: 'handshakes', limit: config.maxConnections, size: size('arriving') },
    { queue: 'guard', limit: core.guard.limit, size: () => core.guard.size },
    { queue: 'push', limit: PUSH_LIMIT, size: () => core.waker?.size ?? 0 },
    { queue: 'qualify', limit: QUALIFY_LIMIT, size: () => core.qualifier?.size ?? 0 },
    { queue: 'dialogs', limit: DIALOG_LIMIT, size: () => core.dialogs?.size ?? 0 },
    { queue: 'registrar-link', limit: INNER_PENDING, size: () => registrar.stats().pending },
    { queue: 'presence-link', limit: INNER_PENDING, size: () => presence.stats().pending },
  ];
}
