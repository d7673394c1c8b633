import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import { ONE_HOUR } from '@rollcall/location';
import type { Policy } from '@rollcall/location';
import { hash53 } from './binding-id.ts';
import { refuse } from './refusals.ts';
import type { Refusal } from './refusals.ts';

/** What of the policy decides an interval. */
export type ExpiryPolicy = Pick<Policy, 'minExpires' | 'defaultExpires' | 'maxExpires' | 'expiresJitter'>;

/**
 * The interval in seconds that a Contact gets (RFC 3261 §10.3 step 7): 0 removes it. `asked` is undefined when neither the
 * Contact nor the request names one. Refused only below the minimum AND below one hour; never longer than asked. `key` names the
 * request (Call-ID and CSeq): it decides the jitter, so that a request that comes once more is granted the same.
 */
export function grantExpiry(
  asked: number | undefined,
  key: string,
  policy: ExpiryPolicy,
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
  return ok(policy.expiresJitter === 0 ? granted : jittered(granted, key, policy));
}

const NONE = ok(0);
/** One more than the largest value of `hash53`. */
const HASH_RANGE = 2 ** 53;

/** Shortened by a share of the jitter that the key decides; not below the minimum, unless less was granted anyway. */
function jittered(granted: number, key: string, policy: ExpiryPolicy): number {
  const share = ((hash53(key) / HASH_RANGE) * policy.expiresJitter) / 100;
  return Math.max(Math.min(granted, policy.minExpires), Math.ceil(granted * (1 - share)));
}
