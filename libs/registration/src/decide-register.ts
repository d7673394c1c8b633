import { err, ok } from '@rollcall/kernel';
import type { EpochMs, Result } from '@rollcall/kernel';
import type { Binding, BindingChange, LocationSnapshot, Policy } from '@rollcall/location';
import { decideUpdate } from './decide-update.ts';
import { liveBindings, expiredChanges } from './liveness.ts';
import { isKnownUnreachable } from './reachable.ts';
import type { IsUnreachable } from './reachable.ts';
import type { RegisterIntent } from './read-register.ts';
import { refuse } from './refusals.ts';
import { staleCseq } from './draft.ts';
import type { Draft, Repeated } from './draft.ts';
import type { Refusal } from './refusals.ts';

/** Why a good request writes nothing: it asks, it is the same request once more, it removes what is not there. */
export type UnchangedReason = 'query' | 'repeated' | 'nothing-to-remove';

/** What becomes of a REGISTER. */
export type Decision =
  /** Nothing to write. `bindings` are those that live. */
  | {
      readonly kind: 'unchanged';
      readonly reason: UnchangedReason;
      readonly bindings: readonly Binding[];
      readonly outbound: boolean;
      readonly pushServices: readonly string[];
    }
  /**
   * To be committed; `bindings` is the whole new state. `outbound`: RFC 5626 was applied to it. `pushServices`: values of
   * Feature-Caps for the answer.
   */
  | {
      readonly kind: 'changed';
      readonly bindings: readonly Binding[];
      readonly changes: readonly BindingChange[];
      readonly outbound: boolean;
      readonly pushServices: readonly string[];
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/**
 * RFC 3261 §10.3 steps 6 and 7 with RFC 3327, 5626, 5627 and 8599, as a function of what is asked, what is stored and what time it is. All or
 * nothing: one Contact that fails refuses the whole request. A binding past its expiry counts as gone, and the change that
 * says so is among the changes when something else is written anyway. `isUnreachable` is asked where the policy evicts by it.
 */
export function decideRegister(
  intent: RegisterIntent,
  snapshot: LocationSnapshot,
  policy: Policy,
  now: EpochMs,
  isUnreachable: IsUnreachable = isKnownUnreachable,
): Decision {
  const { action } = intent;
  const refusal = refuseByPolicy(intent, policy);
  if (refusal !== undefined) return { kind: 'refused', refusal };
  switch (action.kind) {
    case 'query':
      return unchanged('query', liveBindings(snapshot.bindings, now));
    case 'faulty':
      return { kind: 'refused', refusal: action.refusal };
    case 'clear':
      return finish(decideClear(intent, snapshot, now), snapshot, now);
    case 'update':
      return finish(
        decideUpdate(intent, action.contacts, snapshot, policy, now, isUnreachable),
        snapshot,
        now,
      );
  }
}

function refuseByPolicy(intent: RegisterIntent, policy: Policy): Refusal | undefined {
  const { transports } = policy;
  if (
    transports !== undefined &&
    !transports.some((name) => intent.source?.startsWith(`${name}:`) === true)
  ) {
    return refuse(
      'transport-not-allowed',
      `${intent.source ?? 'nobody knows where'} is not over ${transports.join(', ')}`,
    );
  }
  return policy.path === 'strict' && intent.path.length > 0 && !intent.supportsPath
    ? PATH_UNSUPPORTED
    : undefined;
}

/** RFC 3327 §5.3 */
const PATH_UNSUPPORTED = refuse('bad-extension', 'Path without Supported: path', 'Unsupported: path\r\n');

const unchanged = (
  reason: UnchangedReason,
  bindings: readonly Binding[],
  outbound = false,
  pushServices: readonly string[] = NO_SERVICES,
): Decision => ({ kind: 'unchanged', reason, bindings, outbound, pushServices });

const NO_SERVICES: readonly string[] = [];

function finish(
  drafted: Result<Draft | Repeated, Refusal>,
  snapshot: LocationSnapshot,
  now: EpochMs,
): Decision {
  if (!drafted.ok) return { kind: 'refused', refusal: drafted.error };
  const draft = drafted.value;
  const { outbound, pushServices } = draft;
  if (draft.kind === 'repeated') {
    return unchanged('repeated', liveBindings(snapshot.bindings, now), outbound, pushServices);
  }
  if (draft.changes.length === 0) {
    return unchanged('nothing-to-remove', draft.bindings, outbound);
  }
  const expired = expiredChanges(snapshot.bindings, now);
  const changes = expired.length === 0 ? draft.changes : [...expired, ...draft.changes];
  return { kind: 'changed', bindings: draft.bindings, changes, outbound, pushServices };
}

/** RFC 3261 §10.3 step 6: a binding of the same Call-ID goes only for a higher CSeq, and one that may not go stops all. */
function decideClear(
  intent: RegisterIntent,
  snapshot: LocationSnapshot,
  now: EpochMs,
): Result<Draft, Refusal> {
  const changes: BindingChange[] = [];
  for (const binding of liveBindings(snapshot.bindings, now)) {
    if (binding.callId === intent.callId && intent.cseq <= binding.cseq)
      return err(staleCseq(intent, binding));
    changes.push({ kind: 'unregistered', binding });
  }
  return ok({ kind: 'draft', bindings: [], changes, outbound: false, pushServices: NO_SERVICES });
}
