import type { Brand, EpochMs } from '@rollcall/kernel';

/** A canonical address-of-record: `sip:alice@example.test` or `tel:+15551234` (RFC 3261 §6, §10.3 step 5; RFC 3966 §5). */
export type Aor = Brand<string, 'Aor'>;
/** Names one binding inside its AoR, stable over refreshes. URL-safe. */
export type BindingId = Brand<string, 'BindingId'>;

/** That a device has asked for GRUUs (RFC 5627), and which temporary ones are in force. */
export interface GruuState {
  /** Generation of the temporary GRUUs: the moment since which those of this instance count. A new Call-ID makes a new one (§5.1). */
  readonly since: EpochMs;
  /** CSeq of the first request of this Call-ID whose temporary GRUUs count (RFC 5628 `first-cseq`). */
  readonly firstCseq: number;
}

/** What somebody who asked the device itself has found. */
export interface Reachability {
  readonly reachable: boolean;
  /** Round trip in ms. */
  readonly rttMs?: number;
  readonly at: EpochMs;
}

/** One binding: a Contact with what RFC 3261 §10.3 step 7 and RFC 3327, 3840 and 5626 want kept of it. */
export interface Binding {
  readonly id: BindingId;
  /** The Contact's URI as received, byte for byte. */
  readonly contact: string;
  /** Contact header parameters as received but without `expires` and `q`; begins with `;` or is empty. */
  readonly params: string;
  /** q-value times 1000; absent when the Contact had none. */
  readonly q?: number;
  /** `+sip.instance` without the quotes (RFC 5626 §4.1). */
  readonly instance?: string;
  readonly regId?: number;
  readonly callId: string;
  readonly cseq: number;
  /** Path values in order, top first, each a name-addr (RFC 3327). */
  readonly path: readonly string[];
  readonly userAgent?: string;
  /** Where the REGISTER came from as the edge saw it: `udp:192.0.2.1:5060`. */
  readonly source?: string;
  /** Present when the device asks for GRUUs. */
  readonly gruu?: GruuState;
  /** The last finding; a refresh forgets that a device was unreachable. */
  readonly reachability?: Reachability;
  readonly registeredAt: EpochMs;
  readonly refreshedAt: EpochMs;
  readonly expiresAt: EpochMs;
}

/** What the store holds for one AoR at one moment; version 0 means that there is no record. */
export interface LocationSnapshot {
  readonly version: number;
  readonly bindings: readonly Binding[];
}

/** RFC 3680 §3.6 names for what may happen to a binding. */
export const CHANGE_KINDS = [
  'registered',
  'refreshed',
  'shortened',
  'expired',
  'unregistered',
  'deactivated',
  'rejected',
] as const;

export type ChangeKind = (typeof CHANGE_KINDS)[number];

export interface BindingChange {
  readonly kind: ChangeKind;
  readonly binding: Binding;
}
