/*
 * What a registrar ought to do, in the plainest words that I know: RFC 3261 §10.3 with RFC 5626 §6 on a list of bindings. No store, no
 * versions, no caches, nothing shared with the code that it is compared with.
 */

export interface ModelContact {
  readonly uri: string;
  readonly instance?: string;
  readonly regId?: number;
  /** In thousandths. */
  readonly q?: number;
  /** Seconds; absent: the registrar chooses. */
  readonly expires?: number;
}

export interface ModelRegister {
  readonly callId: string;
  readonly cseq: number;
  readonly action: 'query' | 'clear' | readonly ModelContact[];
}

export interface ModelBinding {
  readonly uri: string;
  readonly instance: string | undefined;
  readonly regId: number | undefined;
  /** The reg-id that the phone wrote; without an instance it has no meaning, but another one makes another request. */
  readonly regIdWritten: number | undefined;
  readonly q: number | undefined;
  readonly callId: string;
  readonly cseq: number;
  /** Seconds that were granted. */
  readonly granted: number;
  readonly refreshedAt: number;
  readonly registeredAt: number;
  readonly expiresAt: number;
}

export interface ModelPolicy {
  readonly min: number;
  readonly usual: number;
  readonly max: number;
  readonly contacts: number;
  readonly onLimit: 'reject' | 'evict-oldest' | 'replace';
}

export interface ModelOutcome {
  readonly status: number;
  /** What holds afterwards. */
  readonly bindings: readonly ModelBinding[];
  /** False when there is nothing to write. */
  readonly changed: boolean;
}

type Bindings = readonly ModelBinding[];

export const alive = (bindings: Bindings, now: number): Bindings =>
  bindings.filter((binding) => binding.expiresAt > now);

export function modelRegister(
  stored: Bindings,
  request: ModelRegister,
  policy: ModelPolicy,
  now: number,
): ModelOutcome {
  const live = alive(stored, now);
  const refused = (status: number): ModelOutcome => ({ status, bindings: live, changed: false });
  const { action, callId, cseq } = request;
  if (action === 'query') return { status: 200, bindings: live, changed: false };
  if (action === 'clear') {
    const late = live.some((one) => one.callId === callId && cseq <= one.cseq);
    return late ? refused(500) : { status: 200, bindings: [], changed: live.length > 0 };
  }
  const kept = action.filter((contact) => contact.expires !== 0);
  const hasFlow = (contact: ModelContact): boolean =>
    contact.regId !== undefined && contact.instance !== undefined;
  if (kept.length > 1 && kept.some(hasFlow)) return refused(400);
  if (kept.some(({ expires }) => expires !== undefined && expires < policy.min && expires < 3600))
    return refused(423);

  let next = [...live];
  const mine = new Set<ModelBinding>();
  let changes = 0;
  let repeats = 0;
  let added = 0;
  for (const contact of action) {
    const sameDevice = next.find(
      (one) =>
        contact.instance !== undefined &&
        one.instance === contact.instance &&
        one.regId === (hasFlow(contact) ? contact.regId : undefined) &&
        !mine.has(one),
    );
    const sameUri = next.find((one) => one.uri === contact.uri);
    const isRemoval = contact.expires === 0;
    const found = hasFlow(contact) ? sameDevice : (sameUri ?? (isRemoval ? undefined : sameDevice));
    const granted = isRemoval ? 0 : Math.min(contact.expires ?? policy.usual, policy.max);
    if (found !== undefined && !mine.has(found) && found.callId === callId && cseq <= found.cseq) {
      const same =
        cseq === found.cseq &&
        found.uri === contact.uri &&
        found.instance === contact.instance &&
        found.regIdWritten === contact.regId &&
        found.q === contact.q &&
        found.granted === granted;
      if (!same) return refused(500);
      repeats += 1;
      mine.add(found);
      continue;
    }
    if (isRemoval) {
      if (found === undefined) continue;
      next = next.filter((one) => one !== found);
      changes += 1;
      continue;
    }
    const binding: ModelBinding = {
      uri: contact.uri,
      instance: contact.instance,
      regId: hasFlow(contact) ? contact.regId : undefined,
      regIdWritten: contact.regId,
      q: contact.q,
      callId,
      cseq,
      granted,
      refreshedAt: now,
      registeredAt: found?.registeredAt ?? now,
      expiresAt: now + granted * 1000,
    };
    next = found === undefined ? [...next, binding] : next.map((one) => (one === found ? binding : one));
    mine.add(binding);
    changes += 1;
    if (found === undefined) added += 1;
  }
  if (repeats > 0) return changes > 0 ? refused(500) : { status: 200, bindings: live, changed: false };
  if (changes === 0) return { status: 200, bindings: live, changed: false };
  const surplus = next.length - policy.contacts;
  if (added > 0 && surplus > 0) {
    const others = next.filter((one) => !mine.has(one));
    others.sort((a, b) => a.refreshedAt - b.refreshedAt || a.registeredAt - b.registeredAt);
    const gone =
      policy.onLimit === 'reject' ? [] : policy.onLimit === 'replace' ? others : others.slice(0, surplus);
    if (gone.length < surplus) return refused(403);
    next = next.filter((one) => !gone.includes(one));
  }
  return { status: 200, bindings: next, changed: true };
}
