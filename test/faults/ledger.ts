import type { Binding } from '@rollcall/location';

/** A REGISTER of one Contact: what was asked, and when it was answered with 200, what was promised. */
export interface Attempt {
  readonly cseq: number;
  /** Seconds asked for; 0 takes the binding away. */
  readonly expires: number;
  /** Ms on the tester's clock. */
  readonly sentAt: number;
  promise?: { readonly expires: number; readonly receivedAt: number };
}

/** What the check of a ledger against the store has found. */
export interface Findings {
  /** Acknowledged registrations that are not there, or older than acknowledged; acknowledged removals that did not last. */
  lost: number;
  duplicated: number;
  /** Bindings that end at another second than their 200 has said. */
  wrongExpiry: number;
  /** Bindings that nobody has asked for. */
  alien: number;
  readonly examples: string[];
}

export const noFindings = (): Findings => ({
  lost: 0,
  duplicated: 0,
  wrongExpiry: 0,
  alien: 0,
  examples: [],
});

export function addFindings(sum: Findings, more: Findings): void {
  sum.lost += more.lost;
  sum.duplicated += more.duplicated;
  sum.wrongExpiry += more.wrongExpiry;
  sum.alien += more.alien;
  sum.examples.push(...more.examples);
}

/** Invariant 3: a second either way. */
const TOLERANCE_MS = 1000;

/** All that phones have asked for and been told, by AoR and Contact. */
export class Ledger {
  readonly #aors = new Map<string, Map<string, Attempt[]>>();
  #forgot = false;
  acknowledged = 0;
  refused = 0;
  unanswered = 0;

  attempt(aor: string, contact: string, attempt: Attempt): void {
    let contacts = this.#aors.get(aor);
    if (contacts === undefined) this.#aors.set(aor, (contacts = new Map<string, Attempt[]>()));
    const attempts = contacts.get(contact) ?? [];
    contacts.set(contact, attempts);
    attempts.push(attempt);
  }

  /** The answer was 200: what was asked before it no longer matters. */
  accepted(aor: string, contact: string, attempt: Attempt, expires: number, receivedAt: number): void {
    attempt.promise = { expires, receivedAt };
    this.acknowledged += 1;
    const contacts = this.#aors.get(aor);
    const attempts = contacts?.get(contact) ?? [];
    contacts?.set(
      contact,
      attempts.filter(({ cseq }) => cseq >= attempt.cseq),
    );
  }

  /** The answer was one that says for certain that nothing was written (401). */
  voided(aor: string, contact: string, attempt: Attempt): void {
    const contacts = this.#aors.get(aor);
    contacts?.set(
      contact,
      (contacts.get(contact) ?? []).filter((one) => one !== attempt),
    );
  }

  aors(): string[] {
    return [...this.#aors.keys()];
  }

  /** Begins anew; what is stored from before is nobody's from now on. */
  forget(): void {
    this.#aors.clear();
    this.#forgot = true;
  }

  /** Compares what was promised for one AoR with what is stored at `now`. */
  check(aor: string, stored: readonly Binding[], now: number): Findings {
    const findings = noFindings();
    const contacts = this.#aors.get(aor) ?? new Map<string, Attempt[]>();
    const seen = new Map<string, Binding>();
    for (const binding of stored) {
      if (seen.has(binding.contact)) findings.duplicated += 1;
      if (!contacts.has(binding.contact) && !this.#forgot) findings.alien += 1;
      seen.set(binding.contact, binding);
    }
    for (const [contact, attempts] of contacts) {
      const problem = judge(attempts, seen.get(contact), now);
      if (problem === undefined || (problem.kind === 'alien' && this.#forgot)) continue;
      findings[problem.kind] += 1;
      findings.examples.push(`${aor} ${contact}: ${problem.detail}`);
    }
    return findings;
  }
}

interface Problem {
  readonly kind: 'lost' | 'wrongExpiry' | 'alien';
  readonly detail: string;
}

function judge(attempts: readonly Attempt[], binding: Binding | undefined, now: number): Problem | undefined {
  const promised = attempts.filter(({ promise }) => promise !== undefined).at(-1);
  // Later attempts that were refused or not answered may have been written or not.
  const open = attempts.filter(({ cseq, promise }) => promise === undefined && cseq > (promised?.cseq ?? 0));
  if (binding === undefined) {
    const mayBeGone =
      promised?.promise === undefined ||
      promised.expires === 0 ||
      promised.sentAt + promised.promise.expires * 1000 - TOLERANCE_MS <= now ||
      open.some(({ expires }) => expires === 0);
    return mayBeGone ? undefined : { kind: 'lost', detail: `CSeq ${promised.cseq} is not there` };
  }
  const written = [...open, ...(promised === undefined ? [] : [promised])].find(
    ({ cseq, expires }) => cseq === binding.cseq && expires > 0,
  );
  if (written === undefined) {
    if (promised === undefined) return { kind: 'alien', detail: `CSeq ${binding.cseq} out of nowhere` };
    const what = promised.expires === 0 ? 'removal' : 'registration';
    return { kind: 'lost', detail: `${what} of CSeq ${promised.cseq} acknowledged, ${binding.cseq} stored` };
  }
  if (written.promise === undefined) return undefined;
  const { expires, receivedAt } = written.promise;
  const early = written.sentAt + expires * 1000 - TOLERANCE_MS;
  const late = receivedAt + expires * 1000 + TOLERANCE_MS;
  if (binding.expiresAt >= early && binding.expiresAt <= late) return undefined;
  return {
    kind: 'wrongExpiry',
    detail: `CSeq ${binding.cseq} ends ${binding.expiresAt - receivedAt - expires * 1000} ms off`,
  };
}
