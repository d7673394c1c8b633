import type { EpochMs } from '@rollcall/kernel';
import type { Binding, BindingChange } from '@rollcall/location';

/** A binding lives until the moment it was promised to, that moment excluded. */
export const isLive = (binding: Binding, now: EpochMs): boolean => binding.expiresAt > now;

/** Those that live at `now`, in their order; the very same array when all do. */
export function liveBindings(bindings: readonly Binding[], now: EpochMs): readonly Binding[] {
  for (const binding of bindings) {
    if (!isLive(binding, now)) return bindings.filter((one) => isLive(one, now));
  }
  return bindings;
}

const NO_CHANGES: readonly BindingChange[] = [];

/** What is to be told of bindings whose time is over at `now`. */
export function expiredChanges(bindings: readonly Binding[], now: EpochMs): readonly BindingChange[] {
  if (liveBindings(bindings, now) === bindings) return NO_CHANGES;
  return bindings.filter((binding) => !isLive(binding, now)).map((binding) => ({ kind: 'expired', binding }));
}
