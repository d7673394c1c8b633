import { assertNever, err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import type { Binding, Policy } from '@rollcall/location';
import type { IsUnreachable } from './reachable.ts';
import { refuse } from './refusals.ts';
import type { Refusal } from './refusals.ts';

/** The bindings that make room for those that a request has added; none of its own. Refused when that does not suffice. */
export function makeRoom(
  bindings: readonly Binding[],
  touched: readonly string[],
  policy: Policy,
  isUnreachable: IsUnreachable,
): Result<readonly Binding[], Refusal> {
  const surplus = bindings.length - policy.maxContacts;
  if (surplus <= 0) return NOBODY;
  const others = bindings.filter((binding) => !touched.includes(binding.id));
  const evicted = choose(others, surplus, policy, isUnreachable);
  return evicted.length < surplus ? err(tooMany(bindings.length, policy)) : ok(evicted);
}

const NOBODY = ok<readonly Binding[]>([]);

function choose(
  others: readonly Binding[],
  surplus: number,
  { onLimit }: Policy,
  isUnreachable: IsUnreachable,
): readonly Binding[] {
  switch (onLimit) {
    case 'reject':
      return [];
    case 'evict-oldest':
      return stalest(others).slice(0, surplus);
    case 'evict-unreachable':
      return stalest(others.filter(isUnreachable)).slice(0, surplus);
    case 'replace':
      return others;
    default:
      return assertNever(onLimit, 'onLimit');
  }
}

/** Those first that were refreshed longest ago. */
const stalest = (bindings: readonly Binding[]): readonly Binding[] =>
  [...bindings].sort((a, b) => a.refreshedAt - b.refreshedAt || a.registeredAt - b.registeredAt);

const tooMany = (count: number, { maxContacts }: Policy): Refusal =>
  refuse('too-many-contacts', `${count.toString()} bindings, allowed are ${maxContacts.toString()}`);
