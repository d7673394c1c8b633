import type { EpochMs } from '@rollcall/kernel';
import type { Binding, BindingChange, LocationSnapshot } from '@rollcall/location';
import { expiredChanges, liveBindings } from './liveness.ts';

/** What a sweeper does with an AoR that came up as due. */
export type ExpiryDecision =
  /** Commit this, then re-arm for `next`. */
  | {
      readonly kind: 'expire';
      readonly bindings: readonly Binding[];
      readonly changes: readonly BindingChange[];
      readonly next: EpochMs | undefined;
    }
  /** Nothing is over yet (the due-set is lazy): re-arm for `next`; undefined when there are no bindings. */
  | { readonly kind: 'wait'; readonly next: EpochMs | undefined };

/** Which bindings of an AoR are over at `now`, and when the next one will be. */
export function decideExpiry(snapshot: LocationSnapshot, now: EpochMs): ExpiryDecision {
  const bindings = liveBindings(snapshot.bindings, now);
  let next: EpochMs | undefined;
  for (const { expiresAt } of bindings) if (next === undefined || expiresAt < next) next = expiresAt;
  const changes = expiredChanges(snapshot.bindings, now);
  return changes.length === 0 ? { kind: 'wait', next } : { kind: 'expire', bindings, changes, next };
}
