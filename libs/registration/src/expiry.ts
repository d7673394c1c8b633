import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import { ONE_HOUR } from './policy.ts';
import type { RegistrationPolicy } from './policy.ts';
import { refuse } from './refusals.ts';
import type { Refusal } from './refusals.ts';

/**
 * The interval in seconds that a Contact gets (RFC 3261 §10.3 step 7): 0 removes it. `asked` is undefined when neither the
 * Contact nor the request names one. Refused only below the minimum AND below one hour; never longer than asked.
 */
export function grantExpiry(
  asked: number | undefined,
  key: string,
  policy: RegistrationPolicy,
): Result<number, Refusal> {
  if (asked === 0) return NONE;
  if (asked !== undefined && asked < policy.minExpires && asked < ONE_HOUR) {
    const minimum = policy.minExpires.toString();
    return err(
      refuse(
        'interval-too-brief',
        `${asked.toString()} s is below ${minimum} s`,
        `Min-Expires: ${minimum}\r\n`,
      ),
    );
  }
  const granted = Math.min(asked ?? policy.defaultExpires, policy.maxExpires);
  return ok(policy.spread === undefined ? granted : spreadWithin(granted, key, policy.spread));
}

const NONE = ok(0);

/** Whatever the hook says, a binding that is granted lives at least a second and at most as long as granted. */
function spreadWithin(
  granted: number,
  key: string,
  spread: (granted: number, key: string) => number,
): number {
  return Math.max(1, Math.min(granted, Math.floor(spread(granted, key))));
}
