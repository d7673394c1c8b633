import { epochMs, err, ok } from '@rollcall/kernel';
import type { EpochMs, Result } from '@rollcall/kernel';
import type { Binding, BindingChange, LocationSnapshot } from '@rollcall/location';
import { newBindingId } from './binding-id.ts';
import { staleCseq } from './draft.ts';
import type { Draft, Repeated } from './draft.ts';
import { grantExpiry } from './expiry.ts';
import { liveBindings } from './liveness.ts';
import { matchBinding } from './match-binding.ts';
import type { RegistrationPolicy } from './policy.ts';
import type { ContactIntent, RegisterIntent } from './read-register.ts';
import { refuse } from './refusals.ts';
import type { Refusal } from './refusals.ts';

const MS_PER_SECOND = 1000;

/** RFC 3261 §10.3 step 7 over all Contacts of a request, in their order. */
export function decideUpdate(
  intent: RegisterIntent,
  contacts: readonly ContactIntent[],
  snapshot: LocationSnapshot,
  policy: RegistrationPolicy,
  now: EpochMs,
): Result<Draft | Repeated, Refusal> {
  const flows = flowRules(intent, contacts, policy);
  if (!flows.ok) return flows;
  const update = new Update(intent, liveBindings(snapshot.bindings, now), flows.value, now);
  for (const contact of contacts) {
    const granted = grantExpiry(contact.expires, spreadKey(intent, policy), policy);
    if (!granted.ok) return granted;
    const refusal = update.apply(contact, granted.value);
    if (refusal !== undefined) return err(refusal);
  }
  return update.outcome(policy.maxBindings);
}

const spreadKey = (intent: RegisterIntent, policy: RegistrationPolicy): string =>
  policy.spread === undefined ? '' : `${intent.callId} ${intent.cseq.toString()}`;

/** RFC 5626 §6: whether outbound applies, and what it refuses. A removal by reg-id needs no outbound hop. */
function flowRules(
  intent: RegisterIntent,
  contacts: readonly ContactIntent[],
  policy: RegistrationPolicy,
): Result<boolean, Refusal> {
  if (!policy.outbound) return NO_OUTBOUND;
  const kept = contacts.filter((contact) => contact.expires !== 0);
  if (!kept.some((contact) => contact.regId !== undefined)) return NO_OUTBOUND;
  if (kept.length > 1)
    return err(refuse('several-flows', 'more than one Contact, and one of them has a reg-id'));
  if (intent.outboundHop) return ok(intent.supportsOutbound);
  if (intent.supportsOutbound)
    return err(refuse('no-outbound-hop', 'the first hop has not put ;ob into its Path'));
  return NO_OUTBOUND;
}

const NO_OUTBOUND = ok(false);

/** The bindings of an AoR while one request works on them. */
class Update {
  readonly #bindings: Binding[];
  readonly #changes: BindingChange[] = [];
  /** Ids of the bindings that a Contact of this request has made or confirmed. */
  readonly #touched: string[] = [];
  #repeated = 0;

  constructor(
    private readonly intent: RegisterIntent,
    live: readonly Binding[],
    private readonly outbound: boolean,
    private readonly now: EpochMs,
  ) {
    this.#bindings = [...live];
  }

  /** Applies one Contact with the interval that it is granted; a refusal stops the whole request. */
  apply(contact: ContactIntent, granted: number): Refusal | undefined {
    const at = matchBinding(this.#bindings, contact, granted === 0, this.outbound, this.#touched);
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

  outcome(maxBindings: number): Result<Draft | Repeated, Refusal> {
    if (this.#repeated > 0) {
      // Half of a request cannot be new: then its CSeq had to be (§10.3 step 7).
      const first = this.#bindings.find((binding) => this.#touched.includes(binding.id));
      if (this.#changes.length > 0 && first !== undefined) return err(staleCseq(this.intent, first));
      return ok({ kind: 'repeated', outbound: this.outbound });
    }
    const grows = this.#changes.some((change) => change.kind === 'registered');
    if (grows && this.#bindings.length > maxBindings) {
      return err(
        refuse(
          'too-many-contacts',
          `${this.#bindings.length.toString()} bindings, allowed are ${maxBindings.toString()}`,
        ),
      );
    }
    return ok({ kind: 'draft', bindings: this.#bindings, changes: this.#changes, outbound: this.outbound });
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
      existing.path.length === this.intent.path.length &&
      existing.path.every((value, index) => value === this.intent.path[index])
    );
  }

  #add(contact: ContactIntent, granted: number): void {
    const name =
      contact.instance === undefined
        ? contact.contact
        : `${contact.instance};${(contact.regId ?? 0).toString()}`;
    const binding = this.#bind(contact, granted, newBindingId(name, this.#bindings), this.now);
    this.#bindings.push(binding);
    this.#touched.push(binding.id);
    this.#changes.push({ kind: 'registered', binding });
  }

  #replace(at: number, existing: Binding, contact: ContactIntent, granted: number): void {
    const binding = this.#bind(contact, granted, existing.id, existing.registeredAt);
    this.#bindings[at] = binding;
    this.#touched.push(binding.id);
    // RFC 3680 §3.6: a refresh that leaves less time than there was is "shortened".
    this.#changes.push({ kind: binding.expiresAt < existing.expiresAt ? 'shortened' : 'refreshed', binding });
  }

  #remove(at: number, existing: Binding): void {
    this.#bindings.splice(at, 1);
    this.#changes.push({ kind: 'unregistered', binding: existing });
  }

  #bind(contact: ContactIntent, granted: number, id: Binding['id'], registeredAt: EpochMs): Binding {
    const { intent, now } = this;
    const binding: { -readonly [K in keyof Binding]: Binding[K] } = {
      id,
      contact: contact.contact,
      params: contact.params,
      callId: intent.callId,
      cseq: intent.cseq,
      path: intent.path,
      registeredAt,
      refreshedAt: now,
      expiresAt: epochMs(now + granted * MS_PER_SECOND),
    };
    if (contact.q !== undefined) binding.q = contact.q;
    if (contact.instance !== undefined) binding.instance = contact.instance;
    if (contact.regId !== undefined) binding.regId = contact.regId;
    if (intent.userAgent !== undefined) binding.userAgent = intent.userAgent;
    if (intent.source !== undefined) binding.source = intent.source;
    return binding;
  }
}
