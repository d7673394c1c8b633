import { answerEvent, deliver, isInFlight, planNotify, writeNotify } from '@rollcall/events';
import type {
  DeliveryEvent,
  DeliveryPolicy,
  DeliveryStep,
  News,
  NotifyPlan,
  StateView,
  StoredSubscription,
  Subscription,
} from '@rollcall/events';
import { epochMs } from '@rollcall/kernel';
import type { Clock } from '@rollcall/kernel';
import { MAGIC_COOKIE } from '@rollcall/sip';
import type { PresenceCounters } from './counters.ts';
import type { EdgeFinder } from './edge-finder.ts';
import type { Lanes } from './lanes.ts';
import type { EdgeLink, InnerOutcome, Peer, PresenceLog } from './ports.ts';
import type { Records } from './records.ts';
import type { Views } from './views.ts';

export interface NotifierDeps {
  readonly records: Records;
  readonly views: Views;
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
}

/** A NOTIFY that is sent and not answered yet. */
interface Outstanding {
  stored: StoredSubscription;
  readonly plan: NotifyPlan;
}

/**
 * RFC 3261 §18.1.1 wants an address in Via; answers come back on the connection, and the name that RFC 2606 keeps free says
 * nothing of our inside to whom the edge may show it (acceptance E10).
 */
const VIA = `SIP/2.0/TCP presence.invalid;branch=${MAGIC_COOKIE}`;
/** Tries of one compare-and-set before the claim is left to lapse. */
const MAX_TRIES = 6;

/**
 * Sends NOTIFYs that have been claimed, and settles them on their answers. What is here in memory is only the transaction:
 * if this process dies, the claim lapses and another replica goes on from the record.
 */
export class Notifier {
  readonly #outstanding = new Map<string, Outstanding>();

  constructor(private readonly deps: NotifierDeps) {}

  get outstanding(): number {
    return this.#outstanding.size;
  }

  /** Sends the NOTIFY of a claim that stands in the store. */
  send(stored: StoredSubscription, view: StateView, news?: News): void {
    const { subscription } = stored;
    const plan = planNotify(subscription, view, subscription.delivery === 'ending', news);
    this.#outstanding.set(subscription.id, { stored, plan });
    this.#transmit(subscription, plan, (outcome) => {
      this.#settled(subscription, plan, outcome);
    });
  }

  /** Sends the only NOTIFY of a fetch, of which nothing is stored: if it is lost, the subscriber asks again (RFC 6665 §4.4.3). */
  sendFetched(subscription: Subscription, view: StateView): void {
    this.#transmit(subscription, planNotify(subscription, view, true, undefined), (outcome) => {
      this.deps.counters.notified(subscription.package, describe(outcome));
    });
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
    const next = { ...subscription, until };
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

  #settled(sent: Subscription, plan: NotifyPlan, outcome: InnerOutcome): void {
    const { counters, lanes, log } = this.deps;
    counters.notified(sent.package, describe(outcome));
    lanes
      .run(sent.id, () => this.#settle(sent, plan, outcome))
      .catch((error: unknown) => {
        // The claim lapses, and whoever takes over sends the state of then.
        log.warn({ err: error, subscription: sent.id }, 'a NOTIFY could not be settled');
      })
      .finally(() => {
        const mine = this.#outstanding.get(sent.id);
        if (mine?.stored.subscription.localCseq === sent.localCseq) this.#outstanding.delete(sent.id);
      });
  }

  async #settle(sent: Subscription, plan: NotifyPlan, outcome: InnerOutcome): Promise<void> {
    const { records, views, counters } = this.deps;
    const event = outcomeEvent(outcome);
    let known = this.#outstanding.get(sent.id)?.stored ?? records.remembered(sent.id);
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const current = known?.subscription;
      // Somebody took over after our claim had lapsed: the answer is no longer ours to act on.
      if (current === undefined || current.localCseq !== sent.localCseq || !isInFlight(current)) return;
      const { step, view } = await this.#next(current, plan, event, retryAfterMs(outcome));
      const sends = step.effect === 'send' || step.effect === 'sendFinal';
      const [written, fresh] = await Promise.all([
        records.write(sent.id, known, step.next),
        sends ? (view ?? views.readFor(current)) : undefined,
      ]);
      known = written.stored;
      if (written.kind === 'conflict') continue;
      if (step.effect === 'remove')
        counters.changed(sent.package, event === 'delivered' ? 'ended' : 'dropped');
      if (sends && known !== undefined && fresh !== undefined) this.send(known, fresh);
      return;
    }
  }

  /** The step after an answer; when a change came meanwhile, the state is read to see whether it is another. */
  async #next(
    current: Subscription,
    plan: NotifyPlan,
    event: DeliveryEvent,
    retryMs: number,
  ): Promise<{ step: DeliveryStep; view: StateView | undefined }> {
    const { clock, policy, views } = this.deps;
    if (event !== 'delivered')
      return { step: deliver(current, event, clock.now(), policy, retryMs), view: undefined };
    const arrived = { ...current, sent: plan.fingerprint };
    const view = current.delivery === 'stale' ? await views.readFor(current) : undefined;
    const newer = view !== undefined && view.fingerprint !== plan.fingerprint;
    return { step: deliver(arrived, newer ? 'superseded' : 'delivered', clock.now(), policy), view };
  }
}

function outcomeEvent(outcome: InnerOutcome): DeliveryEvent {
  return outcome.kind === 'response' ? answerEvent(outcome.response.status) : 'deferred';
}

const describe = (outcome: InnerOutcome): string =>
  outcome.kind === 'response' ? String(outcome.response.status) : outcome.kind;

/** An hour: who asks for more is asked again then (RFC 3261 §20.33 sets no limit). */
const RETRY_AFTER_MAX_MS = 3_600_000;

/** What a 503, or any refusal, says of when to come again (RFC 3261 §20.33), in ms; 0 when nothing. */
function retryAfterMs(outcome: InnerOutcome): number {
  if (outcome.kind !== 'response') return 0;
  const seconds = Number.parseInt(outcome.response.header('retry-after') ?? '', 10);
  return Number.isNaN(seconds) || seconds < 0 ? 0 : Math.min(seconds * 1000, RETRY_AFTER_MAX_MS);
}
