import { assertNever } from '@rollcall/kernel';
import type { Clock } from '@rollcall/kernel';
import {
  decideSubscribe,
  parseSubscriptionId,
  readSubscribe,
  refusal,
  renderAccepted,
  renderRefusal,
} from '@rollcall/events';
import type {
  PackageRegistry,
  Refusal,
  StateView,
  StoredSubscription,
  SubscribeDecision,
  SubscribeIntent,
  SubscribePolicy,
  Subscription,
  SubscriptionId,
  SubscriptionIds,
} from '@rollcall/events';
import type { SipRequest } from '@rollcall/sip';
import type { Admission } from './admission.ts';
import type { PresenceCounters } from './counters.ts';
import type { Lanes } from './lanes.ts';
import type { Notifier } from './notifier.ts';
import type { EventStore } from './ports.ts';
import type { Records } from './records.ts';
import type { Views } from './views.ts';

export interface SubscribeDeps {
  readonly store: EventStore;
  readonly records: Records;
  readonly views: Views;
  readonly lanes: Lanes;
  readonly notifier: Notifier;
  readonly admission: Admission;
  readonly packages: PackageRegistry;
  readonly ids: SubscriptionIds;
  readonly clock: Clock;
  readonly policy: SubscribePolicy;
  readonly counters: PresenceCounters;
  readonly newToken: () => string;
  readonly retryAfter: () => number;
}

export type Reply = (message: string) => void;

/** Tries of one compare-and-set before the subscriber is asked to come again. */
const MAX_TRIES = 5;

type Outcome = Exclude<SubscribeDecision, { kind: 'store' | 'fetch' }> | Fetched | Stored;
interface Fetched {
  readonly kind: 'fetched';
  readonly next: Subscription;
  readonly view: StateView;
}
interface Stored {
  readonly kind: 'stored';
  readonly stored: StoredSubscription;
  readonly expires: number;
  readonly view: StateView | undefined;
  readonly created: boolean;
}

/** SUBSCRIBE (RFC 6665 §4.2.1): read, decide, commit if unchanged, answer, notify. */
export class OnSubscribe {
  constructor(private readonly deps: SubscribeDeps) {}

  /** Answers the request. Rejects with `StoreUnavailable`; the caller then answers 503. */
  async handle(request: SipRequest, reply: Reply): Promise<void> {
    const { admission, ids, packages, store, lanes } = this.deps;
    const aliases = admission.aliases();
    const domainAliases = aliases instanceof Promise ? await aliases : aliases;
    const read = readSubscribe(request, { packages, domainAliases });
    if (!read.ok) {
      this.#refuse(request, reply, read.error);
      return;
    }
    const intent = read.value;
    const id =
      intent.dialog === undefined
        ? ids.idOf(intent, intent.resource === undefined ? 0 : store.shardOf(intent.resource))
        : parseSubscriptionId(intent.dialog, store.shards);
    if (id === undefined) {
      this.#refuse(request, reply, refusal('no-subscription'));
      return;
    }
    const refused = await this.#admit(intent);
    await lanes.run(id, async () => {
      this.#answer(request, reply, intent, await this.#carryOut(intent, id, refused));
    });
  }

  async #admit({
    dialog,
    resource,
    watcher,
    package: wanted,
  }: SubscribeIntent): Promise<Refusal | undefined> {
    if (dialog !== undefined || resource === undefined) return undefined;
    return this.deps.admission.subscriber(watcher, resource, wanted);
  }

  /** Decides on what is remembered, or assumes that there is nothing; a refusal or a repeat rests on the store alone. */
  async #carryOut(
    intent: SubscribeIntent,
    id: SubscriptionId,
    admission: Refusal | undefined,
  ): Promise<Outcome> {
    const { records, clock, policy, views } = this.deps;
    let known = records.remembered(id);
    let certain = false;
    if (known === undefined && intent.dialog !== undefined) {
      known = await records.read(id);
      certain = true;
    }
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const decision = decideSubscribe({ intent, id, admission }, known?.subscription, policy, clock.now());
      if (decision.kind === 'fetch') {
        const { next } = decision;
        return { kind: 'fetched', next, view: await views.read(next.resource, intent.package) };
      }
      if (decision.kind !== 'store') {
        if (certain || admission !== undefined) return decision;
        known = await records.read(id);
        certain = true;
        continue;
      }
      const [written, view] = await Promise.all([
        records.write(id, known, decision.next),
        // Asked for in the same turn, so that it is read right after the write, in one round trip.
        decision.notify ? views.read(decision.next.resource, intent.package) : undefined,
      ]);
      if (written.kind === 'written' && written.stored !== undefined) {
        const created = known === undefined;
        return { kind: 'stored', stored: written.stored, expires: decision.expires, view, created };
      }
      known = written.stored;
      certain = true;
    }
    return { kind: 'refuse', refusal: refusal('contended') };
  }

  #answer(request: SipRequest, reply: Reply, intent: SubscribeIntent, outcome: Outcome): void {
    const { counters, notifier } = this.deps;
    const event = intent.package.name;
    switch (outcome.kind) {
      case 'stored':
        reply(renderAccepted(request, outcome.stored.subscription, outcome.expires));
        counters.changed(event, outcome.created ? 'created' : outcome.expires === 0 ? 'ended' : 'refreshed');
        if (outcome.view !== undefined) notifier.send(outcome.stored, outcome.view);
        return;
      case 'fetched':
        reply(renderAccepted(request, outcome.next, 0));
        counters.changed(event, 'fetched');
        notifier.sendFetched(outcome.next, outcome.view);
        return;
      case 'repeat':
        reply(renderAccepted(request, outcome.current, outcome.expires));
        counters.changed(event, 'repeated');
        return;
      case 'refuse':
        this.#refuse(request, reply, outcome.refusal);
        return;
      default:
        assertNever(outcome, 'outcome of a SUBSCRIBE');
    }
  }

  #refuse(request: SipRequest, reply: Reply, reason: Refusal): void {
    this.deps.counters.refused(reason.label);
    reply(renderRefusal(request, reason, this.deps.newToken(), this.deps.retryAfter()));
  }
}
