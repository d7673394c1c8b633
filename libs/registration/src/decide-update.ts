import { epochMs, err, ok } from '@rollcall/kernel';
import type { EpochMs, Result } from '@rollcall/kernel';
import type { Binding, BindingChange, GruuState, LocationSnapshot, Policy } from '@rollcall/location';
import { newBindingId } from './binding-id.ts';
import { makeRoom } from './contact-limit.ts';
import { staleCseq } from './draft.ts';
import type { Draft, Repeated } from './draft.ts';
import { grantExpiry } from './expiry.ts';
import { flowRules } from './flow-rules.ts';
import type { FlowRules } from './flow-rules.ts';
import { gruuAfter, refuseLoop } from './gruu-rules.ts';
import { liveBindings } from './liveness.ts';
import { matchBinding } from './match-binding.ts';
import { offerPush } from './push.ts';
import type { IsUnreachable } from './reachable.ts';
import type { ContactIntent, RegisterIntent } from './read-register.ts';
import type { Refusal } from './refusals.ts';

const MS_PER_SECOND = 1000;

/** RFC 3261 §10.3 step 7 over all Contacts of a request, in their order. */
export function decideUpdate(
  intent: RegisterIntent,
  asked: readonly ContactIntent[],
  snapshot: LocationSnapshot,
  policy: Policy,
  now: EpochMs,
  isUnreachable: IsUnreachable,
): Result<Draft | Repeated, Refusal> {
  const flows = flowRules(intent, asked, policy);
  if (!flows.ok) return flows;
  const contacts = flows.value.ignoreRegIds ? asked.map(withoutRegId) : asked;
  const intervals = grantAll(intent, contacts, policy);
  if (!intervals.ok) return intervals;
  const push = offerPush(intent, contacts, intervals.value, policy);
  if (!push.ok) return push;
  const update = new Update(intent, liveBindings(snapshot.bindings, now), policy, flows.value, now);
  for (const [at, contact] of contacts.entries()) {
    const refusal = update.apply(contact, intervals.value[at] ?? 0);
    if (refusal !== undefined) return err(refusal);
  }
  return update.outcome(push.value, isUnreachable);
}

const withoutRegId = (contact: ContactIntent): ContactIntent => ({ ...contact, regId: undefined });

/** What each Contact is granted, in seconds. */
function grantAll(
  intent: RegisterIntent,
  contacts: readonly ContactIntent[],
  policy: Policy,
): Result<readonly number[], Refusal> {
  const key = policy.expiresJitter === 0 ? '' : `${intent.callId} ${intent.cseq.toString()}`;
  const intervals: number[] = [];
  for (const contact of contacts) {
    const loop = policy.gruu ? refuseLoop(intent, contact) : undefined;
    if (loop !== undefined) return err(loop);
    const granted = grantExpiry(contact.expires, key, policy);
    if (!granted.ok) return granted;
    intervals.push(granted.value);
  }
  return ok(intervals);
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const NO_PATH: readonly string[] = [];
const NOBODY = ok<readonly Binding[]>([]);

/** The bindings of an AoR while one request works on them. */
class Update {
  readonly #bindings: Binding[];
  readonly #path: readonly string[];
  readonly #changes: BindingChange[] = [];
  /** Ids of the bindings that a Contact of this request has made or confirmed. */
  readonly #touched: string[] = [];
  #repeated = 0;

  constructor(
    private readonly intent: RegisterIntent,
    live: readonly Binding[],
    private readonly policy: Policy,
    private readonly flows: FlowRules,
    private readonly now: EpochMs,
  ) {
    this.#bindings = [...live];
    this.#path = policy.path === 'off' ? NO_PATH : intent.path;
  }

  /** Applies one Contact with the interval that it is granted; a refusal stops the whole request. */
  apply(contact: ContactIntent, granted: number): Refusal | undefined {
    const at = matchBinding(this.#bindings, contact, granted === 0, this.flows.byFlow, this.#touched);
    const existing = this.#bindings[at];
    if (existing === undefined) {
      if (granted > 0) this.#add(contact, granted);
      return undefined;
    }
    const sameRequest = this.#touched.includes(existing.id);
    if (!sameRequest && existing.callId === this.intent.callId && this.intent.cseq <= existing.cseq) {
      return this.#repeatOrRefuse(existing, contact, granted);
    }
    if (granted === 0) this.#remove(at, existing);
    else this.#replace(at, existing, contact, granted);
    return undefined;
  }

  outcome(pushServices: readonly string[], isUnreachable: IsUnreachable): Result<Draft | Repeated, Refusal> {
    const { outbound } = this.flows;
    if (this.#repeated > 0) {
      // Half of a request cannot be new: then its CSeq had to be (§10.3 step 7).
      const first = this.#bindings.find((binding) => this.#touched.includes(binding.id));
      if (this.#changes.length > 0 && first !== undefined) return err(staleCseq(this.intent, first));
      return ok({ kind: 'repeated', outbound, pushServices });
    }
    const grows = this.#changes.some((change) => change.kind === 'registered');
    const evicted = grows ? makeRoom(this.#bindings, this.#touched, this.policy, isUnreachable) : NOBODY;
    if (!evicted.ok) return evicted;
    if (evicted.value.length === 0)
      return ok({ kind: 'draft', bindings: this.#bindings, changes: this.#changes, outbound, pushServices });
    const bindings = this.#bindings.filter((binding) => !evicted.value.includes(binding));
    // RFC 3680 §3.6: the registrar does not want them any more, and they need not try again.
    const gone = evicted.value.map((binding): BindingChange => ({ kind: 'rejected', binding }));
    return ok({ kind: 'draft', bindings, changes: [...this.#changes, ...gone], outbound, pushServices });
  }

  /**
   * §10.3 step 7 aborts for a CSeq that is not higher. The one exception is the same request once more, which another replica
   * has carried out while its answer was lost: it is answered again.
   */
  #repeatOrRefuse(existing: Binding, contact: ContactIntent, granted: number): Refusal | undefined {
    if (this.intent.cseq !== existing.cseq || !this.#isSame(existing, contact, granted)) {
      return staleCseq(this.intent, existing);
    }
    this.#repeated += 1;
    this.#touched.push(existing.id);
    return undefined;
  }

  #isSame(existing: Binding, contact: ContactIntent, granted: number): boolean {
    return (
      existing.contact === contact.contact &&
      existing.params === contact.params &&
      existing.q === contact.q &&
      existing.expiresAt - existing.refreshedAt === granted * MS_PER_SECOND &&
      existing.path.length === this.#path.length &&
      existing.path.every((value, index) => value === this.#path[index])
    );
  }

  #add(contact: ContactIntent, granted: number): void {
    const name =
      contact.instance === undefined
        ? contact.contact
        : `${contact.instance};${(contact.regId ?? 0).toString()}`;
    const gruu = this.#gruuAfter(-1, contact);
    const binding = this.#bind(contact, granted, newBindingId(name, this.#bindings), this.now, gruu);
    this.#bindings.push(binding);
    this.#touched.push(binding.id);
    this.#changes.push({ kind: 'registered', binding });
  }

  #replace(at: number, existing: Binding, contact: ContactIntent, granted: number): void {
    const gruu = this.#gruuAfter(at, contact);
    const binding = this.#bind(contact, granted, existing.id, existing.registeredAt, gruu);
    // A device that registers can be reached; what was found of its flow holds as long as that stays.
    const { reachability } = existing;
    if (reachability?.reachable === true && existing.path[0] === binding.path[0])
      binding.reachability = reachability;
    this.#bindings[at] = binding;
    this.#touched.push(binding.id);
    // RFC 3680 §3.6: a refresh that leaves less time than there was is "shortened".
    this.#changes.push({ kind: binding.expiresAt < existing.expiresAt ? 'shortened' : 'refreshed', binding });
  }

  #remove(at: number, existing: Binding): void {
    this.#bindings.splice(at, 1);
    this.#changes.push({ kind: 'unregistered', binding: existing });
  }

  /** The GRUUs of a Contact; other bindings of its instance lose theirs when its Call-ID is new. */
  #gruuAfter(at: number, contact: ContactIntent): GruuState | undefined {
    if (contact.instance === undefined) return undefined;
    const { intent, policy, now } = this;
    const { gruu, voided } = gruuAfter(this.#bindings, at, contact, intent, policy.gruu, this.#touched, now);
    for (const [index, state] of voided) {
      const sibling = this.#bindings[index];
      if (sibling !== undefined) this.#bindings[index] = { ...sibling, gruu: state };
    }
    return gruu;
  }

  #bind(
    contact: ContactIntent,
    granted: number,
    id: Binding['id'],
    registeredAt: EpochMs,
    gruu: GruuState | undefined,
  ): Mutable<Binding> {
    const { intent, now } = this;
    const binding: Mutable<Binding> = {
      id,
      contact: contact.contact,
      params: contact.params,
      callId: intent.callId,
      cseq: intent.cseq,
      path: this.#path,
      registeredAt,
      refreshedAt: now,
      expiresAt: epochMs(now + granted * MS_PER_SECOND),
    };
    if (contact.q !== undefined) binding.q = contact.q;
    if (contact.instance !== undefined) binding.instance = contact.instance;
    if (contact.regId !== undefined) binding.regId = contact.regId;
    if (intent.userAgent !== undefined) binding.userAgent = intent.userAgent;
    if (intent.source !== undefined) binding.source = intent.source;
    if (gruu !== undefined) binding.gruu = gruu;
    return binding;
  }
}
