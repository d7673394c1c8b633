import { seconds } from '@rollcall/kernel';
import type { Seconds } from '@rollcall/kernel';

/** What a registrar decides for itself (RFC 3261 §10.3 step 7). */
export interface RegistrationPolicy {
  /** Shorter requests below an hour are refused with 423. */
  readonly minExpires: Seconds;
  /** Granted when the device asks for nothing. */
  readonly defaultExpires: Seconds;
  /** Longer requests get this. */
  readonly maxExpires: Seconds;
  /** Most bindings of one AoR; a request that would leave more is refused with 403. */
  readonly maxBindings: number;
  /**
   * Shortens a granted interval so that devices that registered together do not refresh together. `key` names the
   * registration (Call-ID and CSeq): the same key must give the same interval, so that a retried request is recognised.
   */
  readonly spread?: (granted: number, key: string) => number;
  /** Apply RFC 5626: answer `Require: outbound`, and 439 where the first hop lacks it. */
  readonly outbound: boolean;
  /** Refuse a Path that the device has not said it supports, with 420 (RFC 3327 §5.3). */
  readonly strictPath: boolean;
}

/** RFC 3261 §10.2.1.1: a malformed interval counts as one hour. It is also the border below which 423 may be sent (§10.3 step 7). */
export const ONE_HOUR = 3600;

export const DEFAULT_POLICY: RegistrationPolicy = {
  minExpires: seconds(60),
  defaultExpires: seconds(ONE_HOUR),
  maxExpires: seconds(2 * ONE_HOUR),
  maxBindings: 10,
  outbound: false,
  strictPath: false,
};
