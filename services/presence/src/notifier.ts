import {
  answerEvent,
  deliver,
  draftOf,
  isInFlight,
  NO_ANSWER,
  planNotify,
  readMaxRate,
  tellsNothing,
  writeNotify,
} from '@rollcall/events';
import type {
  DeliveryEvent,
  DeliveryPolicy,
  DeliveryStep,
  News,
  NotifyPlan,
  StateView,
  StoredSubscription,
  Subscription,
  SubscriptionId,
} from '@rollcall/events';
import { epochMs } from '@rollcall/kernel';
import type { Clock } from '@rollcall/kernel';
import { MAGIC_COOKIE, REASON_PHRASES } from '@rollcall/sip';
import type { PresenceCounters } from './counters.ts';
import type { EdgeFinder } from './edge-finder.ts';
import type { Lanes } from './lanes.ts';
import type { EdgeLink, InnerOutcome, Peer, PresenceLog } from './ports.ts';
import type { Records } from './records.ts';
import type { SubscriberViews } from './subscriber-views.ts';

export interface NotifierDeps {
  readonly records: Records;
  readonly views: SubscriberViews;
  readonly lanes: Lanes;
  readonly link: EdgeLink;
  readonly edges: EdgeFinder;
  readonly clock: Clock;
  readonly policy: DeliveryPolicy;
  readonly counters: PresenceCounters;
  readonly log: PresenceLog;
  /** Unique part of a branch (RFC 3261 §8.1.1.7). */
  readonly newToken: () => string;
  /** W3C traceparent of what runs now, for the edge. */
  readonly currentTrace: () => string | undefined;
  /** True: that a NOTIFY arrived is written with the next step of its subscription, or by `settleLate`. */
  readonly late: boolean;
  /** The packages of which every NOTIFY that arrived is written down at once all the same (`EventPackage.tellsChanges`). */
  readonly atOnce: (event: string) => boolean;
}

/** A NOTIFY that is sent and not answered yet. */
interface Outstanding {
  stored: StoredSubscription;
  readonly plan: NotifyPlan;
}

/** A NOTIFY that arrived, which the store does not know yet. */
interface Arrived {
  readonly sent: Subscription;
  readonly plan: NotifyPlan;
  readonly outcome: InnerOutcome;
  readonly known: StoredSubscription;
  /** Undefined: the subscription is over. */
  readonly next: Subscription | undefined;
}

/**
 * RFC 3261 §18.1.1 wants an address in Via; answers come back on the connection, and the name that RFC 2606 keeps free says
 * nothing of our inside to whom the edge may show it (acceptance E10).
 */
const VIA = `SIP/2.0/TCP presence.invalid;branch=${MAGIC_COOKIE}`;
/** Settled together at most: calls of the store are bounded. */
const SETTLED_TOGETHER = 256;
/** Tries of one compare-and-set before the claim is left to lapse. */
const MAX_TRIES = 6;

/**
 * Sends NOTIFYs that have been claimed, and settles them on their answers. What is here in memory is only the transaction:
 * if this process dies, the claim lapses and another replica goes on from the record.
 */
export class Notifier {
  readonly #outstanding = new Map<string, Outstanding>();
  readonly #arrived = new Map<string, Arrived>();

  constructor(private readonly deps: NotifierDeps) {}

  get outstanding(): number {
    return this.#outstanding.size;
  }

  /** Sends the NOTIFY of a claim that stands in the store. `bodiless`: the subscriber has the state already. */
  send(stored: StoredSubscription, view: StateView, news?: News, bodiless = false): void {
    const { subscription } = stored;
    const plan = planNotify(subscription, view, subscription.delivery === 'ending', news, bodiless);
    this.#outstanding.set(subscription.id, { stored, plan });
    this.#transmit(subscription, plan, (outcome) => {
      this.#settled(subscription, plan, outcome);
    });
  }

  /** Sends the only NOTIFY of a fetch, of which nothing is stored: if it is lost, the subscriber asks again (RFC 6665 §4.4.3). */
  sendFetched(subscription: Subscription, view: StateView, bodiless = false): void {
    const plan = planNotify(subscription, view, true, undefined, bodiless);
    this.#transmit(subscription, plan, (outcome) => {
      this.deps.counters.notified(subscription.package, describe(outcome));
    });
  }

  /** NOTIFYs that arrived and of which the store does not know yet. */
  get unsettled(): number {
    return this.#arrived.size;
  }

  /**
   * Writes down which NOTIFYs have arrived, where no step of theirs has since. If this process dies before, their claims lapse
   * and another replica sends the state once more. Never rejects.
   */
  async settleLate(): Promise<void> {
    if (this.#arrived.size === 0) return;
    const all = [...this.#arrived.values()];
    this.#arrived.clear();
    const { records } = this.deps;
    // What is no longer ahead has been written with a later step, or overtaken by another replica: that is seen when it is settled.
    const plain = all.filter(({ sent, next }) => next === undefined || records.ahead(sent.id) !== undefined);
    const others = all.filter((each) => !plain.includes(each));
    const calls: Promise<void>[] = others.map((each) => this.#settleAnew(each));
    for (let at = 0; at < plain.length; at += SETTLED_TOGETHER) {
      calls.push(this.#settleTogether(plain.slice(at, at + SETTLED_TOGETHER)));
    }
    await Promise.all(calls);
  }

  /**
   * Another step of a subscription has been written meanwhile. If that is only word of a change, left for a NOTIFY that was thought
   * to be on its way, what is owed is told now.
   */
  overtaken(id: SubscriptionId): void {
    const arrived = this.#arrived.get(id);
    if (arrived === undefined) return;
    this.#arrived.delete(id);
    const now = this.deps.records.remembered(id)?.subscription;
    if (now?.localCseq === arrived.sent.localCseq && isInFlight(now)) void this.#settleAnew(arrived);
  }

  async #settleTogether(arrived: readonly Arrived[]): Promise<void> {
    const { records, log } = this.deps;
    try {
      const changes = arrived.map(({ sent, known, next }) => ({ id: sent.id, known, next }));
      const written = await records.writeMany(changes);
      const lost = arrived.filter((_, n) => written[n]?.kind === 'conflict');
      await Promise.all(lost.map((each) => this.#settleAnew(each)));
    } catch (error) {
      // The claims lapse, and whoever takes over sends the state of then.
      log.warn({ err: error, count: arrived.length }, 'NOTIFYs could not be settled');
    }
  }

  #settleAnew({ sent, plan, outcome }: Arrived): Promise<void> {
    return this.deps.lanes
      .run(sent.id, () => this.#settle(sent, plan, outcome))
      .catch((error: unknown) => {
        this.#notSettled(sent, error);
      });
  }

  #notSettled(sent: Subscription, error: unknown): void {
    // The claim lapses, and whoever takes over sends the state of then.
    this.deps.log.warn({ err: error, subscription: sent.id }, 'a NOTIFY could not be settled');
  }

  /** Prolongs claims whose NOTIFY is still under way: a slow phone is no dead replica. */
  async prolong(): Promise<void> {
    const { clock, policy } = this.deps;
    const soon = clock.now() + policy.claimMs / 2;
    const due = [...this.#outstanding.values()].filter(({ stored }) => stored.subscription.until < soon);
    await Promise.all(
      due.map((each) => this.deps.lanes.run(each.stored.subscription.id, () => this.#prolong(each))),
    );
  }

  async #prolong(outstanding: Outstanding): Promise<void> {
    const { subscription } = outstanding.stored;
    if (this.#outstanding.get(subscription.id) !== outstanding) return;
    const until = epochMs(this.deps.clock.now() + this.deps.policy.prolongMs);
    const next = draftOf(subscription);
    next.until = until;
    const written = await this.deps.records.write(subscription.id, outstanding.stored, next);
    // A conflict is somebody's change on top of our claim: what it says now is prolonged the next time.
    if (written.stored?.subscription.localCseq === subscription.localCseq)
      outstanding.stored = written.stored;
  }

  #transmit(subscription: Subscription, plan: NotifyPlan, done: (outcome: InnerOutcome) => void): void {
    const hop = this.deps.edges.nextHop(subscription);
    if (!(hop instanceof Promise)) {
      this.#transmitTo(hop, subscription, plan, done);
      return;
    }
    const send = (peer: Peer | undefined): void => {
      this.#transmitTo(peer, subscription, plan, done);
    };
    hop.then(send, () => {
      send(undefined);
    });
  }

  #transmitTo(
    hop: Peer | undefined,
    subscription: Subscription,
    plan: NotifyPlan,
    done: (outcome: InnerOutcome) => void,
  ): void {
    if (this.#takenOver(subscription)) return;
    if (hop === undefined) {
      done({ kind: 'unavailable' });
      return;
    }
    const token = this.deps.newToken();
    const message = writeNotify(
      subscription,
      plan,
      VIA + token,
      this.deps.clock.now(),
      this.deps.currentTrace(),
    );
    this.deps.link.requestTo(hop, MAGIC_COOKIE + token, message, done);
  }

  /**
   * Stopped, or waiting for the edge's address, until the claim lapsed: whoever took over has sent what is newer, and after that nothing
   * older may come (RFC 3261 §12.2.2).
   */
  #takenOver(subscription: Subscription): boolean {
    const mine = this.#outstanding.get(subscription.id)?.stored.subscription;
    if (mine?.localCseq !== subscription.localCseq || this.deps.clock.now() < mine.until) return false;
    this.#forget(subscription);
    return true;
  }

  #settled(sent: Subscription, plan: NotifyPlan, outcome: InnerOutcome): void {
    const { counters, lanes } = this.deps;
    counters.notified(sent.package, describe(outcome));
    const late = this.deps.late && !this.deps.atOnce(sent.package);
    if (late && this.#arrivedPlainly(sent, plan, outcome)) return;
    lanes
      .run(sent.id, () => this.#settle(sent, plan, outcome))
      .catch((error: unknown) => {
        this.#notSettled(sent, error);
      })
      .finally(() => {
        this.#forget(sent);
      });
  }

  #forget(sent: Subscription): void {
    const mine = this.#outstanding.get(sent.id);
    if (mine?.stored.subscription.localCseq === sent.localCseq) this.#outstanding.delete(sent.id);
  }

  /** The common case: it arrived, and as far as is known here nothing has happened since. */
  #arrivedPlainly(sent: Subscription, plan: NotifyPlan, outcome: InnerOutcome): boolean {
    const { records, lanes, clock, policy, counters } = this.deps;
    if (outcomeEvent(outcome) !== 'delivered' || lanes.isBusy(sent.id)) return false;
    const known = this.#latest(sent);
    if (known === undefined || known.subscription.localCseq !== sent.localCseq) return false;
    const { delivery } = known.subscription;
    if (delivery !== 'inFlight' && delivery !== 'ending') return false;
    const { next } = deliver(answered(known.subscription, plan, outcome), 'delivered', clock.now(), policy);
    if (next === undefined) counters.changed(sent.package, 'ended');
    else records.goAhead({ version: known.version, subscription: next });
    this.#arrived.set(sent.id, { sent, plan, outcome, known, next });
    this.#forget(sent);
    return true;
  }

  /** The newest version of the record that is known here. */
  #latest(sent: Subscription): StoredSubscription | undefined {
    const remembered = this.deps.records.remembered(sent.id);
    const claimed = this.#outstanding.get(sent.id)?.stored;
    if (claimed === undefined || remembered === undefined) return claimed ?? remembered;
    return claimed.version > remembered.version ? claimed : remembered;
  }

  async #settle(sent: Subscription, plan: NotifyPlan, outcome: InnerOutcome): Promise<void> {
    const { records, views, counters } = this.deps;
    const event = outcomeEvent(outcome);
    let known = this.#latest(sent);
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const current = known?.subscription;
      // Somebody took over after our claim had lapsed: the answer is no longer ours to act on.
      if (current === undefined || current.localCseq !== sent.localCseq || !isInFlight(current)) return;
      const { step, view } = await this.#next(answered(current, plan, outcome), plan, event, outcome);
      const sends = step.effect === 'send' || step.effect === 'sendFinal';
      const next = view !== undefined && sends ? telling(step.next, view) : step.next;
      const [written, fresh] = await Promise.all([
        records.write(sent.id, known, next),
        sends ? (view ?? views.readFor(current)) : undefined,
      ]);
      known = written.stored;
      if (written.kind === 'conflict') continue;
      if (step.effect === 'remove')
        counters.changed(sent.package, event === 'delivered' ? 'ended' : 'dropped');
      if (sends && known !== undefined && fresh !== undefined)
        this.send(known, fresh, current.delivery === 'stale' ? newsAfter(plan) : undefined);
      return;
    }
  }

  /** The step after an answer; when a change came meanwhile, the state is read to see whether it is another. */
  async #next(
    current: Subscription,
    plan: NotifyPlan,
    event: DeliveryEvent,
    outcome: InnerOutcome,
  ): Promise<{ step: DeliveryStep; view: StateView | undefined }> {
    const { clock, policy, views } = this.deps;
    if (event !== 'delivered')
      return { step: deliver(current, event, clock.now(), policy, retryAfterMs(outcome)), view: undefined };
    const view =
      current.delivery === 'stale' && !tellsNothing(current) ? await views.readFor(current) : undefined;
    const newer = view !== undefined && view.fingerprint !== plan.fingerprint && !current.quenched;
    return { step: deliver(current, newer ? 'superseded' : 'delivered', clock.now(), policy), view };
  }
}

/** What was told last has arrived, so that what differs from it is enough. */
const newsAfter = ({ body, fingerprint }: NotifyPlan): News | undefined =>
  body === '' ? undefined : { after: fingerprint, commits: 0, changes: [] };

/** The claim of a NOTIFY whose state is known already. */
function telling(claimed: Subscription | undefined, { fingerprint }: StateView): Subscription | undefined {
  if (claimed === undefined) return undefined;
  const next = draftOf(claimed);
  next.sent = fingerprint;
  return next;
}

/** The record with what the answer to its NOTIFY says. */
function answered(current: Subscription, plan: NotifyPlan, outcome: InnerOutcome): Subscription {
  const next = draftOf(current);
  next.answered = statusOf(outcome);
  if (outcomeEvent(outcome) !== 'delivered') return next;
  next.sent = plan.fingerprint;
  next.minInterval = paceOf(current, outcome);
  return next;
}

/** RFC 6446 §5.1: a 2xx with an Event header may change the rate that the SUBSCRIBE asked for. */
function paceOf({ minInterval }: Subscription, outcome: InnerOutcome): number {
  if (minInterval === 0 || outcome.kind !== 'response') return minInterval;
  const event = outcome.response.header('event');
  if (event === undefined) return minInterval;
  const rate = readMaxRate(/;\s*max-rate\s*=\s*([0-9.]+)/i.exec(event)?.[1]);
  return rate === undefined ? 0 : Math.ceil(1000 / rate);
}

/** RFC 3261 §8.1.3.1: a transport that fails is a 503, silence a 408. */
function statusOf(outcome: InnerOutcome): number {
  if (outcome.kind === 'response') return outcome.status;
  return outcome.kind === 'timeout' ? NO_ANSWER : UNREACHABLE;
}

const UNREACHABLE = 503;

function outcomeEvent(outcome: InnerOutcome): DeliveryEvent {
  return outcome.kind === 'response' ? answerEvent(outcome.status) : 'deferred';
}

/** A label: a status that nobody has given a name counts by its class, since a phone may answer with any. */
function describe(outcome: InnerOutcome): string {
  if (outcome.kind !== 'response') return outcome.kind;
  const { status } = outcome;
  return Object.hasOwn(REASON_PHRASES, status) ? String(status) : `${String(Math.floor(status / 100))}xx`;
}

/** An hour: who asks for more is asked again then (RFC 3261 §20.33 sets no limit). */
const RETRY_AFTER_MAX_MS = 3_600_000;

/** What a 503, or any refusal, says of when to come again (RFC 3261 §20.33), in ms; 0 when nothing. */
function retryAfterMs(outcome: InnerOutcome): number {
  if (outcome.kind !== 'response') return 0;
  const seconds = Number.parseInt(outcome.response.header('retry-after') ?? '', 10);
  return Number.isNaN(seconds) || seconds < 0 ? 0 : Math.min(seconds * 1000, RETRY_AFTER_MAX_MS);
}
