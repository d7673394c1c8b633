import { assertNever, BoundedMap } from '@rollcall/kernel';
import type { Clock } from '@rollcall/kernel';
import {
  accessOf,
  ANY_STATE,
  decideSubscribe,
  entityTag,
  NO_RULES,
  parseSubscriptionId,
  readSubscribe,
  refusal,
  renderAccepted,
  renderRefusal,
  renderSuppressed,
  tellsNothing,
} from '@rollcall/events';
import type {
  Access,
  PackageRegistry,
  Refusal,
  RefusalLabel,
  StateView,
  StoredSubscription,
  SubscribeDecision,
  SubscribeIntent,
  SubscribePolicy,
  Subscription,
  SubscriptionId,
  SubscriptionIds,
  WatcherRules,
} from '@rollcall/events';
import type { Aor } from '@rollcall/location';
import type { SipRequest } from '@rollcall/sip';
import type { Admission } from './admission.ts';
import type { PresenceCounters } from './counters.ts';
import type { Lanes } from './lanes.ts';
import type { ListWatches } from './list-watches.ts';
import type { Notifier } from './notifier.ts';
import type { OnCommand } from './on-command.ts';
import type { EventStore } from './ports.ts';
import { timed } from './probe.ts';
import type { Probe } from './probe.ts';
import type { Records } from './records.ts';
import type { SubscriberViews } from './subscriber-views.ts';
import type { Target, Targets } from './targets.ts';

export interface SubscribeDeps {
  readonly store: EventStore;
  readonly records: Records;
  readonly views: SubscriberViews;
  readonly lists: ListWatches;
  readonly commands: OnCommand;
  readonly lanes: Lanes;
  readonly notifier: Notifier;
  readonly admission: Admission;
  readonly targets: Targets;
  readonly packages: PackageRegistry;
  readonly ids: SubscriptionIds;
  readonly clock: Clock;
  readonly policy: SubscribePolicy;
  readonly counters: PresenceCounters;
  readonly newToken: () => string;
  readonly retryAfter: () => number;
}

/** `refusal`: the label of the row by which the message refuses. */
export type Reply = (message: string, refusal?: RefusalLabel) => void;

/** Tries of one compare-and-set before the subscriber is asked to come again. */
const MAX_TRIES = 5;
/** Resources whose rules are remembered: a hint, of which the commit says whether it still holds. */
const KEPT_RULES = 10_000;

type Outcome =
  Exclude<SubscribeDecision, { kind: 'store' | 'fetch' | 'suppress' }> | Fetched | Stored | Suppressed;
interface Fetched {
  readonly kind: 'fetched';
  readonly next: Subscription;
  readonly view: StateView | undefined;
  readonly bodiless: boolean;
}
interface Stored {
  readonly kind: 'stored';
  readonly stored: StoredSubscription;
  readonly expires: number;
  /** Undefined: no NOTIFY goes out for it now. */
  readonly view: StateView | undefined;
  readonly bodiless: boolean;
  readonly created: boolean;
}
interface Suppressed {
  readonly kind: 'suppressed';
  readonly current: Subscription;
  readonly expires: number;
}

/** SUBSCRIBE (RFC 6665 §4.2.1): read, decide, commit if unchanged, answer, notify. */
export class OnSubscribe {
  readonly #rules = new BoundedMap<Aor, WatcherRules>(KEPT_RULES);

  constructor(private readonly deps: SubscribeDeps) {}

  /** Answers the request. Rejects with `StoreUnavailable`; the caller then answers 503. */
  async handle(request: SipRequest, reply: Reply, probe?: Probe): Promise<void> {
    const { admission, packages, store, lanes } = this.deps;
    const aliases = admission.aliases();
    const domainAliases = aliases instanceof Promise ? await aliases : aliases;
    const read = readSubscribe(request, { packages, domainAliases });
    if (!read.ok) {
      this.#refuse(request, reply, read.error);
      return;
    }
    const intent = read.value;
    if (intent.dialog === undefined) {
      const wanted = this.deps.targets.of(intent);
      const target = wanted instanceof Promise ? await wanted : wanted;
      const asked = target.aor === intent.resource ? intent : { ...intent, resource: target.aor };
      const commands = target.refusal === undefined && mayCommand(request, asked);
      if (commands && (await this.#commanded(request, reply, asked, undefined))) return;
      const id = this.deps.ids.idOf(asked, store.shardOf(target.aor));
      await lanes.run(id, async () => {
        this.#answer(request, reply, asked, await this.#carryOut(asked, id, target, probe));
      });
      return;
    }
    const id = parseSubscriptionId(intent.dialog, store.shards);
    if (id === undefined) {
      this.#refuse(request, reply, refusal('no-subscription'));
      return;
    }
    if (mayCommand(request, intent) && (await this.#commanded(request, reply, intent, id))) return;
    await lanes.run(id, async () => {
      this.#answer(request, reply, intent, await this.#carryOut(intent, id, undefined, probe));
    });
  }

  /** Carries out a command in the body, before the NOTIFY that tells of it. True when that was refused, and answered. */
  async #commanded(
    request: SipRequest,
    reply: Reply,
    intent: SubscribeIntent,
    id: SubscriptionId | undefined,
  ): Promise<boolean> {
    const { commands, records } = this.deps;
    const current = id === undefined ? undefined : (await records.read(id))?.subscription;
    const refused = await commands.handle(request, intent, current);
    if (refused !== undefined) this.#refuse(request, reply, refused);
    return refused !== undefined;
  }

  /** Decides on what is remembered, or assumes that there is nothing; a refusal or a repeat rests on the store alone. */
  async #carryOut(
    intent: SubscribeIntent,
    id: SubscriptionId,
    first: Target | undefined,
    probe: Probe | undefined,
  ): Promise<Outcome> {
    const { records, clock, policy } = this.deps;
    let known = records.remembered(id);
    let certain = false;
    if (known === undefined && first === undefined) {
      known = await records.read(id);
      certain = true;
    }
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const current = known?.subscription;
      const found = first ?? (current === undefined ? undefined : this.deps.targets.ofSubscription(current));
      const target = found instanceof Promise ? await found : found;
      const rules = this.#rulesOf(target, intent.watcher);
      const access = this.#accessOf(target, intent.watcher, rules);
      const unchanged =
        intent.ifMatch !== undefined && (await this.#holds(intent, id, current, target, access));
      const decision = decideSubscribe(
        { intent, id, admission: target?.refusal, access, list: target?.list, unchanged },
        current,
        policy,
        clock.now(),
      );
      // In the dialog a resource that is gone ends the subscription, by its owner's change or at its expiry.
      if (
        first === undefined &&
        target?.refusal !== undefined &&
        decision.kind === 'store' &&
        decision.expires > 0
      )
        return { kind: 'refuse', refusal: target.refusal };
      if (decision.kind === 'refuse' || decision.kind === 'repeat') {
        const sure = certain && (rules === undefined || (await this.#areRules(target, rules)));
        if (sure || first?.refusal !== undefined) return decision;
        if (!certain) known = await records.read(id);
        certain = true;
        continue;
      }
      if (decision.kind === 'fetch') {
        if (rules !== undefined && !(await this.#areRules(target, rules))) continue;
        return this.#fetched(intent, decision.next, unchanged);
      }
      const outcome = await this.#write(intent, id, known, decision, rules, unchanged, probe);
      if (outcome.kind === 'done') return outcome.outcome;
      if (outcome.kind === 'conflict') known = outcome.stored;
      else if (target !== undefined) this.#keepRules(target.aor, outcome.rules);
      certain = true;
    }
    return { kind: 'refuse', refusal: refusal('contended') };
  }

  async #write(
    intent: SubscribeIntent,
    id: SubscriptionId,
    known: StoredSubscription | undefined,
    decision: Extract<SubscribeDecision, { kind: 'store' | 'suppress' }>,
    rules: WatcherRules | undefined,
    unchanged: boolean,
    probe: Probe | undefined,
  ): Promise<
    | { readonly kind: 'done'; readonly outcome: Outcome }
    | { readonly kind: 'conflict'; readonly stored: StoredSubscription | undefined }
    | { readonly kind: 'rules'; readonly rules: WatcherRules }
  > {
    const { records, views, lists } = this.deps;
    const { next, expires } = decision;
    const suppress = decision.kind === 'suppress';
    if (next === undefined) {
      const written = await timed(probe, () => records.write(id, known, undefined));
      if (written.kind === 'conflict' || known === undefined)
        return { kind: 'conflict', stored: written.stored };
      return { kind: 'done', outcome: { kind: 'suppressed', current: known.subscription, expires: 0 } };
    }
    // Watched before it is read, so that no change is missed in between.
    if (next.list !== undefined) await lists.watch(next, intent.entries);
    const notify = !suppress && decision.notify;
    const sources = notify && next.list === undefined && !tellsNothing(next) ? intent.package.sources : [];
    const written = await timed(probe, () => records.subscribe({ id, known, next }, rules?.version, sources));
    if (written.kind !== 'written' || written.stored === undefined)
      return written.kind === 'rules' ? written : { kind: 'conflict', stored: written.stored };
    const stored = written.stored;
    if (suppress) return { kind: 'done', outcome: { kind: 'suppressed', current: next, expires } };
    const view = notify ? (views.ofState(next, written.state) ?? (await views.readFor(next))) : undefined;
    return {
      kind: 'done',
      outcome: { kind: 'stored', stored, expires, view, bodiless: unchanged, created: known === undefined },
    };
  }

  async #fetched(intent: SubscribeIntent, next: Subscription, bodiless: boolean): Promise<Fetched> {
    const { views, lists } = this.deps;
    // The list is needed for as long as it takes to read it.
    if (next.list === 'adhoc') await lists.watch(next, intent.entries, 'once');
    return { kind: 'fetched', next, view: await views.readFor(next), bodiless };
  }

  /** RFC 5839 §6.2: the condition of a SUBSCRIBE holds when the state that it would be told has this entity-tag. */
  async #holds(
    { ifMatch, accept, dialog, package: wanted, watcher }: SubscribeIntent,
    id: SubscriptionId,
    current: Subscription | undefined,
    target: Target | undefined,
    access: Access | 'blocked',
  ): Promise<boolean> {
    if (ifMatch === undefined || target === undefined || access === 'blocked' || access === 'pending')
      return false;
    if (ifMatch === ANY_STATE) return true;
    if (dialog !== undefined && current === undefined) return false;
    const looker = { id, resource: target.aor, package: wanted.name, access, watcher, list: target.list };
    const view = await this.deps.views.readFor(looker);
    return view !== undefined && entityTag({ accept }, view) === ifMatch;
  }

  /** Rules that the decision rests on; undefined where none are asked. */
  #rulesOf(target: Target | undefined, watcher: Aor): WatcherRules | undefined {
    if (target?.watchers === undefined || watcher === target.aor) return undefined;
    return this.#rules.get(target.aor) ?? NO_RULES;
  }

  #accessOf(target: Target | undefined, watcher: Aor, rules: WatcherRules | undefined): Access | 'blocked' {
    if (target?.watchers === undefined || rules === undefined) return 'active';
    return accessOf(target.aor, watcher, rules, target.watchers);
  }

  /** Reads the rules; true when they are these. */
  async #areRules(target: Target | undefined, rules: WatcherRules): Promise<boolean> {
    if (target === undefined) return true;
    const read = await this.deps.store.readRules(target.aor);
    this.#keepRules(target.aor, read);
    return read.version === rules.version;
  }

  #keepRules(resource: Aor, rules: WatcherRules): void {
    if (rules.version === 0) this.#rules.delete(resource);
    else this.#rules.set(resource, rules);
  }

  #answer(request: SipRequest, reply: Reply, intent: SubscribeIntent, outcome: Outcome): void {
    const { counters, notifier } = this.deps;
    const event = intent.package.name;
    switch (outcome.kind) {
      case 'stored':
        reply(renderAccepted(request, outcome.stored.subscription, outcome.expires));
        counters.changed(event, outcome.created ? 'created' : outcome.expires === 0 ? 'ended' : 'refreshed');
        if (outcome.view !== undefined)
          notifier.send(outcome.stored, outcome.view, undefined, outcome.bodiless);
        return;
      case 'suppressed':
        reply(renderSuppressed(request, outcome.current, outcome.expires));
        counters.changed(event, outcome.expires === 0 ? 'ended' : 'refreshed');
        return;
      case 'fetched':
        reply(renderAccepted(request, outcome.next, 0));
        counters.changed(event, 'fetched');
        if (outcome.view !== undefined) notifier.sendFetched(outcome.next, outcome.view, outcome.bodiless);
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
    reply(renderRefusal(request, reason, this.deps.newToken(), this.deps.retryAfter()), reason.label);
  }
}

/** A command may be in the body. */
const mayCommand = (request: SipRequest, intent: SubscribeIntent): boolean =>
  intent.package.command !== undefined && request.body !== '';
