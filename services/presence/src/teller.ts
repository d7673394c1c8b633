import {
  accessOf,
  deliver,
  draftOf,
  isEnding,
  shardOfId,
  tellsNothing,
  watcherChange,
} from '@rollcall/events';
import type {
  DeliveryEvent,
  DeliveryPolicy,
  News,
  PackageRegistry,
  PublicationClaims,
  PublicationCommit,
  StateView,
  StoredSubscription,
  Subscription,
  SubscriptionId,
  TellDuty,
  TerminationReason,
  WatcherRules,
} from '@rollcall/events';
import type { Clock } from '@rollcall/kernel';
import type { Admission, Found } from './admission.ts';
import type { Lanes } from './lanes.ts';
import type { ListWatches } from './list-watches.ts';
import type { Notifier } from './notifier.ts';
import type { EventStore } from './ports.ts';
import type { Change, Records } from './records.ts';
import { concerns, publicationWork } from './resource-work.ts';
import type { ResourceWork } from './resource-work.ts';
import type { SharedViews, SubscriberViews } from './subscriber-views.ts';
import type { WatchedResource } from './watched.ts';

export interface TellerDeps {
  readonly store: EventStore;
  readonly records: Records;
  readonly views: SubscriberViews;
  readonly lists: ListWatches;
  readonly lanes: Lanes;
  readonly notifier: Notifier;
  readonly admission: Admission;
  readonly packages: PackageRegistry;
  readonly clock: Clock;
  readonly policy: DeliveryPolicy;
}

/** Watchers of one resource that are told at one time. */
const PAGE = 256;
const MAX_TRIES = 5;
/** NOTIFYs without an answer, past which the next page of a large fan-out waits a moment: the receivers' buffers are finite. */
const WINDOW = 2_048;
/** How long it waits at most: phones that are gone must not hold up the others. */
const WAIT_MS = 100;
const WAIT_STEP_MS = 5;

/** What a record is to become for the sake of a change. */
interface Step {
  readonly next: Subscription;
  readonly claims: boolean;
  readonly view: StateView | undefined;
  readonly news: News | undefined;
  /** The subscription is over but for what is sent now. */
  readonly ends: boolean;
}

/** What a fan-out has found out for all of its watchers. */
interface Round {
  readonly work: ResourceWork;
  readonly shared: SharedViews;
  /** Read once, where the work is about them. */
  readonly rules: Promise<Ruling> | undefined;
}

interface Ruling {
  readonly found: Found | undefined;
  readonly rules: WatcherRules;
}

/** Claims that go along with a publication. */
export interface Claiming {
  readonly claims: PublicationClaims;
  /** To be called when they hold, with the versions that the store gave. */
  told(versions: readonly number[]): void;
}

/** Tells the watchers of a resource what happened to it: each is claimed, or left word with if a NOTIFY is on its way. */
export class Teller {
  constructor(private readonly deps: TellerDeps) {}

  /** Returns when each watcher is told or has it in its record that it is owed. Throws `StoreUnavailable`. */
  async tell(work: ResourceWork): Promise<void> {
    const { store } = this.deps;
    const duties = new Set(work.duties);
    if (work.known !== undefined) {
      const ids = work.known.watchers;
      const duty = work.duties.length === 1 ? work.duties[0] : undefined;
      if (await this.#page(work, ids, duty)) duties.clear();
    } else {
      let after: SubscriptionId | undefined;
      for (;;) {
        const ids = await store.watchers(work.resource, after, PAGE);
        await this.#page(work, ids, undefined);
        after = ids.at(-1);
        if (ids.length < PAGE) break;
        await this.#breathe();
      }
    }
    await Promise.all([...duties].map((duty) => store.settle([], duty)));
  }

  /**
   * The claims of all watchers for the state that a publication makes, decided on what is remembered; undefined where that is not
   * enough to go by.
   */
  async claims(commit: PublicationCommit, known: WatchedResource | undefined): Promise<Claiming | undefined> {
    if (known === undefined) return undefined;
    const { records, packages, store } = this.deps;
    const { resource, publications } = commit;
    const { watchers, location } = known;
    const state = { resource, location, publications: { version: 0, publications } };
    const work = publicationWork(commit, { watchers, state, learnt: Infinity });
    const round = this.#round(work);
    const shard = store.shardOf(resource);
    const made: { readonly known: StoredSubscription; readonly step: Step | undefined }[] = [];
    for (const id of watchers) {
      const stored = records.remembered(id);
      if (stored === undefined || stored.subscription.list !== undefined || shardOfId(id) !== shard)
        return undefined;
      const wanted = packages.find(stored.subscription.package);
      if (wanted === undefined) return undefined;
      // What a subscription is to never becomes another.
      if (!concerns(work, wanted)) continue;
      if (!wanted.sources.every((source) => source in state)) return undefined;
      const step = await this.#step(stored.subscription, round);
      if (step !== undefined && watcherChange(stored.subscription, step.next) !== undefined) return undefined;
      made.push({ known: stored, step });
    }
    const commits = made.map(({ known: { version, subscription }, step }) => ({
      id: subscription.id,
      resource,
      expectedVersion: version,
      next: step?.next ?? subscription,
      holds: step === undefined,
    }));
    return {
      claims: { watchers, location: location.version, commits },
      told: (versions) => {
        made.forEach(({ known: before, step }, n) => {
          const version = versions[n];
          if (step === undefined || version === undefined) return;
          this.#sent(records.claimed(before, { version, subscription: step.next }), step);
        });
      },
    };
  }

  /** Takes the back-end watches of a list subscription that is over away. */
  async unwatch(subscription: Subscription): Promise<void> {
    if (subscription.list === undefined) return;
    const { views, lists } = this.deps;
    await lists.unwatch(subscription, await views.listOf(subscription));
  }

  async #breathe(): Promise<void> {
    const { notifier } = this.deps;
    for (let waited = 0; notifier.outstanding > WINDOW && waited < WAIT_MS; waited += WAIT_STEP_MS) {
      await new Promise((resolve) => setTimeout(resolve, WAIT_STEP_MS));
    }
  }

  /**
   * Claims what is to be claimed in few calls. Records that are remembered need not be read: a claim on an old one conflicts and
   * brings the true one; but that there is nothing to tell is believed only of a record that was read. True when the duty was
   * done along with it.
   */
  async #page(
    work: ResourceWork,
    ids: readonly SubscriptionId[],
    duty: TellDuty | undefined,
  ): Promise<boolean> {
    if (ids.length === 0) return false;
    const { records } = this.deps;
    const round = this.#round(work);
    const by = work.known?.learnt;
    const remembered = ids.map((id) => records.remembered(id, by));
    const steps = await Promise.all(
      remembered.map(async (known) => known && this.#step(known.subscription, round)),
    );
    const unsure = ids.filter((_, n) => steps[n] === undefined);
    const read = await this.#read(work, unsure);
    // What was read now may have been told what is newer than the state that the work brought along.
    const anew = unsure.length === 0 ? round : this.#round(work, true);
    const late = await Promise.all(read.map((known) => this.#step(known.subscription, anew)));
    const planned: Planned[] = [];
    remembered.forEach((known, n) => {
      const step = steps[n];
      if (known !== undefined && step !== undefined) planned.push({ known, step });
    });
    read.forEach((known, n) => {
      const step = late[n];
      if (step !== undefined) planned.push({ known, step });
    });
    if (planned.length === 0) return false;
    return this.#write(work, planned, duty);
  }

  async #write(
    work: ResourceWork,
    planned: readonly Planned[],
    duty: TellDuty | undefined,
  ): Promise<boolean> {
    const { records, lanes } = this.deps;
    const changes: Change[] = planned.map(({ known, step }) => ({
      id: known.subscription.id,
      known,
      next: step.next,
    }));
    const written = await records.writeMany(changes, duty);
    const lost: SubscriptionId[] = [];
    planned.forEach(({ known, step }, n) => {
      const outcome = written[n];
      if (outcome?.kind === 'written') this.#sent(outcome.stored, step);
      else lost.push(known.subscription.id);
    });
    await Promise.all(lost.map((id) => lanes.run(id, () => this.#alone(id, work))));
    return duty !== undefined && lost.length === 0;
  }

  /** One whose record was another than thought. */
  async #alone(id: SubscriptionId, work: ResourceWork): Promise<void> {
    const { records } = this.deps;
    let known = records.remembered(id) ?? (await records.read(id));
    for (let tries = 0; known !== undefined && tries < MAX_TRIES; tries += 1) {
      const step = await this.#step(known.subscription, this.#round(work, true));
      if (step === undefined) {
        if (tries > 0) return;
        known = await records.read(id);
        continue;
      }
      const written = await records.write(id, known, step.next);
      if (written.kind === 'written') {
        this.#sent(written.stored, step);
        return;
      }
      known = written.stored;
    }
    if (known !== undefined) throw new Error(`subscription ${id} is too contended`);
  }

  #sent(stored: StoredSubscription | undefined, { claims, view, news, ends }: Step): void {
    if (stored === undefined) return;
    if (claims && view !== undefined) this.deps.notifier.send(stored, view, news);
    if (ends) void this.unwatch(stored.subscription).catch(() => undefined);
  }

  /** Records from the store. The watchers still name one that is gone: that is mended. */
  async #read(work: ResourceWork, ids: readonly SubscriptionId[]): Promise<readonly StoredSubscription[]> {
    if (ids.length === 0) return [];
    const { records, store } = this.deps;
    const read = await records.readMany(ids);
    const gone = ids.filter((_, n) => read[n] === undefined);
    await Promise.all(gone.map((id) => store.unwatch(work.resource, id)));
    return read.flatMap((each) => each ?? []);
  }

  /**
   * The state is read after the record: what a record says was sent is then never newer than what is sent now, and the
   * compare-and-set of the claim sees to it that nobody came between.
   */
  #round(work: ResourceWork, anew = false): Round {
    const { views, admission, store } = this.deps;
    const shared: SharedViews = new Map();
    const known = anew ? undefined : work.known;
    if (known !== undefined) {
      for (const name of work.packages ?? []) {
        const looker = {
          id: '' as SubscriptionId,
          resource: work.resource,
          package: name,
          access: 'active',
          watcher: '',
          list: undefined,
        } as const;
        const view = views.ofState(looker, known.state);
        if (view !== undefined) shared.set(name, view);
      }
    }
    const rules = work.sources.has('rules')
      ? Promise.all([admission.find(work.resource), store.readRules(work.resource)]).then(
          ([found, read]) => ({ found, rules: read }),
        )
      : undefined;
    return { work, shared, rules };
  }

  /** What is to become of a subscription; undefined when nothing. */
  async #step(current: Subscription, round: Round): Promise<Step | undefined> {
    const { clock, packages } = this.deps;
    const wanted = packages.find(current.package);
    if (wanted === undefined || isEnding(current)) return undefined;
    if (current.expiresAt <= clock.now() && current.delivery === 'settled') return undefined;
    const { work } = round;
    if (current.list !== undefined) {
      const gone = await this.#listChanged(current, work);
      if (gone) return this.#end(current, 'noresource');
      const own = work.resource === current.resource;
      if (own ? !work.sources.has('list') : !concerns(work, wanted) && !work.sources.has('rules'))
        return undefined;
      return this.#told(current, 'changed', round);
    }
    if (round.rules !== undefined) {
      const ruled = await this.#ruled(current, wanted.audience === 'owner', await round.rules);
      if (ruled === 'rejected' || ruled === 'noresource') return this.#end(current, ruled);
      // RFC 6446 §5.2: consent is told at once.
      if (ruled !== current.access) {
        const allowed = draftOf(current);
        allowed.access = ruled;
        return this.#told(allowed, 'asked', round);
      }
    }
    return concerns(work, wanted) ? this.#told(current, 'changed', round) : undefined;
  }

  /** What the rules say of a subscription now: an access, or why it ends. */
  async #ruled(
    { resource, watcher, access }: Subscription,
    ownersOnly: boolean,
    { found, rules }: Ruling,
  ): Promise<Subscription['access'] | Extract<TerminationReason, 'rejected' | 'noresource'>> {
    if (found === undefined) return Promise.resolve('noresource');
    if (ownersOnly) return access;
    const now = accessOf(resource, watcher, rules, found.watchers);
    return now === 'blocked' ? 'rejected' : now;
  }

  /** The list of a subscription is another: its new entries are watched. True when there is no such list any more. */
  async #listChanged(current: Subscription, work: ResourceWork): Promise<boolean> {
    if (current.list !== 'stored' || work.resource !== current.resource || !work.sources.has('list'))
      return false;
    const list = await this.deps.views.listOf(current);
    if (list === undefined) return true;
    await this.deps.lists.watchAll(current, list);
    return false;
  }

  async #told(
    current: Subscription,
    event: DeliveryEvent,
    { work, shared }: Round,
  ): Promise<Step | undefined> {
    const { clock, policy, views } = this.deps;
    // Who waits for consent, or wants nothing told, has no news; that consent was given or taken back is some.
    if (event === 'changed' && (tellsNothing(current) || current.quenched)) return undefined;
    const read = views.readFor(current, shared);
    const view = read instanceof Promise ? await read : read;
    if (view === undefined) return undefined;
    // It has this state, or is being sent it.
    if (event === 'changed' && current.sent === view.fingerprint) return undefined;
    const step = deliver(current, event, clock.now(), policy);
    if (step.next === undefined || step.next === current) return undefined;
    const claims = step.effect === 'send';
    const next = draftOf(step.next);
    if (claims && !tellsNothing(current)) next.sent = view.fingerprint;
    return { next, claims, view, news: event === 'changed' ? newsOf(current, work) : undefined, ends: false };
  }

  /** The notifier ends it (RFC 6665 §4.2.2). */
  async #end(current: Subscription, reason: TerminationReason): Promise<Step | undefined> {
    const { clock, policy, views } = this.deps;
    const ending = draftOf(current);
    ending.reason = reason;
    const step = deliver(ending, 'unsubscribed', clock.now(), policy);
    if (step.next === undefined) return undefined;
    const view = await views.readFor(current);
    return { next: step.next, claims: step.effect === 'sendFinal', view, news: undefined, ends: true };
  }
}

interface Planned {
  readonly known: StoredSubscription;
  readonly step: Step;
}

/** What changed is news only to who got the last document. */
function newsOf(
  { sent, resource }: Subscription,
  { commits, changes, watching, resource: changed }: ResourceWork,
): News | undefined {
  if (sent === '') return undefined;
  return resource === changed
    ? { after: sent, commits, changes, watching }
    : { after: sent, commits: 0, changes: [] };
}
