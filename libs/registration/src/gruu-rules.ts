import { epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import { canonicalAor, gruuGeneration, sameInstance } from '@rollcall/location';
import type { Binding, GruuState } from '@rollcall/location';
import type { ContactIntent, RegisterIntent } from './read-register.ts';
import { refuse } from './refusals.ts';
import type { Refusal } from './refusals.ts';

/**
 * RFC 5627 §5.1: the Contact of a device that leads back to the AoR or to a GRUU of it would loop. An explicit port names a host,
 * which may well have the domain's name.
 */
export function refuseLoop(intent: RegisterIntent, contact: ContactIntent): Refusal | undefined {
  const { uri } = contact;
  if (contact.instance === undefined || contact.expires === 0) return undefined;
  if (uri.kind !== 'sip') return refuse('contact-scheme', `the Contact of a device is ${contact.contact}`);
  if (uri.port !== undefined || uri.host.length !== intent.domain.length) return undefined;
  if (uri.host.toLowerCase() !== intent.domain) return undefined;
  const aor = canonicalAor(uri);
  const loops = uri.params.has('gr') || (aor.ok && aor.value === intent.aor);
  return loops ? refuse('contact-loops', `${contact.contact} leads back to ${intent.aor}`) : undefined;
}

/** Which temporary GRUUs are in force after a Contact, and which other bindings change with it. */
export interface GruuOutcome {
  readonly gruu: GruuState | undefined;
  /** Bindings of the same instance whose older temporary GRUUs are void now: index and new state. */
  readonly voided: readonly (readonly [number, GruuState])[];
}

const UNTOUCHED: readonly (readonly [number, GruuState])[] = [];
const NO_GRUU: GruuOutcome = { gruu: undefined, voided: UNTOUCHED };

/**
 * RFC 5627 §5.1: as long as the Call-ID stays, the temporary GRUUs of an instance add up; a new one makes all older ones void, those
 * of its other flows too. `at`: the binding that the Contact replaces, or -1.
 */
export function gruuAfter(
  bindings: readonly Binding[],
  at: number,
  contact: ContactIntent,
  intent: RegisterIntent,
  gives: boolean,
  touched: readonly string[],
  now: EpochMs,
): GruuOutcome {
  const { instance } = contact;
  if (instance === undefined) return NO_GRUU;
  const asked = gives && intent.supportsGruu;
  const existing = bindings[at];
  const own = existing?.instance !== undefined && sameInstance(existing.instance, instance);
  if (own && existing.callId === intent.callId && (existing.gruu !== undefined || !asked)) {
    return existing.gruu === undefined ? NO_GRUU : { gruu: existing.gruu, voided: UNTOUCHED };
  }
  if (!asked && !(own && existing.gruu !== undefined)) return NO_GRUU;
  const siblings = siblingsOf(bindings, at, instance);
  const rebooted = own && existing.callId !== intent.callId && !siblings.some(isTouched(bindings, touched));
  const known = gruuGeneration([
    ...siblings.map((index) => bindings[index] as Binding),
    ...(own ? [existing] : []),
  ]);
  const since = epochMs(rebooted ? Math.max(now, known + 1) : known === 0 ? now : known);
  return {
    gruu: asked ? { since, firstCseq: intent.cseq } : undefined,
    voided: rebooted ? voidAll(bindings, siblings, since) : UNTOUCHED,
  };
}

function siblingsOf(bindings: readonly Binding[], at: number, instance: string): number[] {
  const siblings: number[] = [];
  for (const [index, binding] of bindings.entries()) {
    if (index !== at && binding.instance !== undefined && sameInstance(binding.instance, instance))
      siblings.push(index);
  }
  return siblings;
}

const isTouched =
  (bindings: readonly Binding[], touched: readonly string[]) =>
  (index: number): boolean =>
    touched.includes(bindings[index]?.id ?? '');

/** What they were given with their last request is void as well: the next one counts (RFC 5628 `first-cseq`). */
function voidAll(
  bindings: readonly Binding[],
  siblings: readonly number[],
  since: EpochMs,
): (readonly [number, GruuState])[] {
  const voided: (readonly [number, GruuState])[] = [];
  for (const index of siblings) {
    const binding = bindings[index];
    if (binding?.gruu !== undefined) voided.push([index, { since, firstCseq: binding.cseq + 1 }]);
  }
  return voided;
}
