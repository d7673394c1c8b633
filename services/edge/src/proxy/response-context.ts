import type { TimerHandle, Timers } from '@rollcall/kernel';
import { edit } from '@rollcall/sip';
import type { SipResponse } from '@rollcall/sip';
import type { ClientTransaction, ClientTransactionUser } from '@rollcall/sip-transaction';
import type { BusyFlows } from '../busy-flows.ts';
import { newBranch } from '../hop.ts';
import { REMOVED } from '../trust-boundary.ts';
import { bestResponse, otherChallenges } from './best-response.ts';
import type { Candidate } from './best-response.ts';
import { incomingBreadth, shareOf } from './breadth.ts';
import type { Egress, Hop, OnHop, Onward } from './egress.ts';
import type { Upstream } from './upstream.ts';

/** One target of a request and how its hop is found. */
export interface Target {
  readonly onward: Onward;
  /** Calls back, at once or later. */
  readonly resolve: (done: OnHop) => void;
  /**
   * Another way to the same device when the flow of this target has failed: its next flow (RFC 5626 §5.3), or the one that it
   * opens when it is woken (RFC 8599 §5.6.2). Calls back, at once or later; undefined when there is none.
   */
  readonly otherwise?: (gone: boolean, done: (next: Target | undefined) => void) => void;
  /** The other ways are for a timeout and a 503 too: next hops outside (RFC 3263 §4.3). */
  readonly failover?: true;
}

export interface ContextDeps {
  readonly egress: Egress;
  readonly timers: Timers;
  /** Appended to every branch, so that a request that comes round is known (RFC 3261 §16.6 step 8). */
  readonly loopMark: string;
  readonly busy: BusyFlows;
}

/** RFC 3261 §16.6 step 11: timer C is larger than 3 minutes. */
const TIMER_C_MS = 190_000;
/** RFC 3261 §9.1: a cancelled transaction without a final answer is over after 64*T1. */
const CANCEL_WAIT_MS = 32_000;
/** RFC 5626 §5.3.1: the flow is gone. */
const FLOW_FAILED = 430;
const TIMED_OUT = 408;
const CANCELLED = 487;
const UNAVAILABLE = 503;

/** RFC 3326 §2: by this a phone knows that the call was taken, and lists none as missed. */
const ELSEWHERE = 'Reason: SIP;cause=200;text="Call completed elsewhere"\r\n';

const OUR_VIA = ['via'] as const;

/** The way of a branch that has come to its end. */
const NO_WAY: Target = {
  onward: { route: undefined, rest: [] },
  resolve: (done) => {
    done(undefined, false);
  },
};

/** One client transaction of the context after another, all to the same device. */
class Branch implements ClientTransactionUser {
  client: ClientTransaction | undefined;
  hop: Hop | undefined;
  timer: TimerHandle | undefined;
  /** Timer C has fired and the device has been told to stop. */
  expired = false;
  /** Another flow of the device is looked for. */
  seeking = false;
  over = false;

  constructor(
    private readonly context: ResponseContext,
    public target: Target,
  ) {}

  onResponse(response: SipResponse): void {
    this.context.onResponse(this, response);
  }

  onFailure(reason: 'timeout' | 'transport'): void {
    this.context.onFailure(this, reason);
  }
}

/**
 * The response context of one proxied request (RFC 3261 §16.7): groups of targets one after the other, the targets of a group
 * at the same time as far as Max-Breadth allows; the first 2xx wins, a 6xx ends the search, otherwise the best answer goes back.
 */
export class ResponseContext {
  readonly #invite: boolean;
  readonly #groups: Target[][];
  readonly #branches: Branch[] = [];
  readonly #candidates: Candidate[] = [];
  /** Targets of the present group that Max-Breadth has not let start yet. */
  #queue: Target[] = [];
  readonly #breadth: number | undefined;
  #share: number | undefined;
  /** Further targets are expected: the answer waits for them. */
  #held = 0;
  #answered = false;
  /** No further targets: the client has cancelled, or a 6xx has come. */
  #closed = false;
  #cancelled = false;
  #over = false;
  #started = false;

  constructor(
    private readonly deps: ContextDeps,
    private readonly upstream: Upstream,
    groups: readonly (readonly Target[])[],
  ) {
    this.#invite = upstream.request.method === 'INVITE';
    this.#groups = groups.map((group) => [...group]);
    // From inside there is one target, and the edge that let the request in has divided its breadth.
    if (upstream.origin.flow !== undefined) this.#breadth = incomingBreadth(upstream.request);
  }

  start(): void {
    if (this.#invite)
      this.upstream.onCancel((reason) => {
        this.#cancel(reason);
      });
    const { flow } = this.upstream.origin;
    if (flow !== undefined) this.deps.busy.enter(flow);
    this.#started = true;
    this.#nextGroup();
  }

  /** Keeps the context from giving up until the function returned is called: a target may still be added. */
  hold(): () => void {
    this.#held += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#held -= 1;
      this.#check();
    };
  }

  /** A late branch, beside those that run (RFC 8599 §5.6.2). Nothing when the search has ended. */
  add(target: Target): void {
    if (this.#closed || this.#answered) return;
    this.#queue.push(target);
    this.#startMore();
  }

  onResponse(branch: Branch, response: SipResponse): void {
    const { status } = response;
    if (status < 200) {
      if (!branch.expired && !this.#closed) this.#startTimer(branch, TIMER_C_MS);
      if (status > 100 && !this.#answered) this.#pass(status, response);
      return;
    }
    if (status < 300) {
      if (this.#answered && !this.#invite) {
        this.#end(branch);
        return;
      }
      this.#answered = true;
      this.#closed = true;
      this.#pass(status, response);
      this.#end(branch);
      this.#cancelPending(ELSEWHERE);
      return;
    }
    if (status === UNAVAILABLE && branch.target.failover === true) {
      this.#seek(branch, false, status);
      return;
    }
    if (status === FLOW_FAILED && branch.hop?.inner === true) {
      this.#seek(branch, true);
      return;
    }
    // RFC 3261 §16.8: the 487 that timer C has brought about is news of a timeout, not of a CANCEL of the caller.
    const silent = branch.expired && status === CANCELLED;
    this.#candidates.push(silent ? { status: TIMED_OUT } : { status, response });
    this.#end(branch);
    if (status >= 600) {
      this.#closed = true;
      this.#cancelPending(`Reason: SIP;cause=${String(status)}\r\n`);
    }
    this.#check();
  }

  onFailure(branch: Branch, reason: 'timeout' | 'transport'): void {
    if (branch.over) return;
    if (reason === 'transport') {
      this.#seek(branch, branch.hop?.inner === false && !branch.hop.flow.open);
      return;
    }
    if (branch.target.failover === true) this.#seek(branch, false, TIMED_OUT);
    else this.#fail(branch, TIMED_OUT);
  }

  #nextGroup(): void {
    const group = this.#closed ? undefined : this.#groups.shift();
    if (group === undefined) {
      this.#finish();
      return;
    }
    if (this.#breadth !== undefined) this.#share = shareOf(this.#breadth, group.length);
    this.#queue = group;
    this.#startMore();
  }

  #startMore(): void {
    const room = (this.#breadth ?? Infinity) - this.#running();
    // All are counted before the first is sent: one may fail while it is being sent.
    const started = this.#queue.splice(0, Math.max(0, room)).map((target) => new Branch(this, target));
    this.#branches.push(...started);
    for (const branch of started) this.#resolve(branch);
  }

  #running(): number {
    let running = 0;
    for (const branch of this.#branches) if (!branch.over) running += 1;
    return running;
  }

  #resolve(branch: Branch): void {
    branch.target.resolve((hop, gone) => {
      if (branch.over) return;
      if (this.#closed) {
        this.#end(branch);
        this.#check();
      } else if (hop === undefined) this.#seek(branch, gone);
      else this.#launch(branch, hop);
    });
  }

  #launch(branch: Branch, hop: Hop): void {
    const { egress, loopMark } = this.deps;
    const { request, origin } = this.upstream;
    const name = newBranch() + loopMark;
    const message = egress.compose(request, hop, branch.target.onward, origin, name, this.#share);
    branch.hop = hop;
    branch.expired = false;
    this.deps.busy.enter(hop.flow);
    if (this.#invite) this.#startTimer(branch, TIMER_C_MS);
    branch.client = egress.request(hop.flow, request.method, name, message, branch);
  }

  /** The flow has failed: another one of the same device takes its place, without the others noticing. */
  #seek(branch: Branch, gone: boolean, status = FLOW_FAILED): void {
    const { otherwise } = branch.target;
    this.#leave(branch);
    this.#stopTimer(branch);
    if (this.#closed || otherwise === undefined) {
      this.#fail(branch, status);
      return;
    }
    branch.seeking = true;
    otherwise(gone, (next) => {
      if (!branch.seeking) return;
      branch.seeking = false;
      if (next === undefined || this.#closed) {
        this.#fail(branch, status);
        return;
      }
      branch.target = next;
      this.#resolve(branch);
    });
  }

  #fail(branch: Branch, status: number): void {
    this.#candidates.push({ status });
    this.#end(branch);
    this.#check();
  }

  #check(): void {
    if (this.#answered || !this.#started) return;
    if (!this.#closed && this.#queue.length > 0) this.#startMore();
    if (this.#branches.some((branch) => !branch.over)) return;
    if (this.#held > 0 && !this.#closed) return;
    this.#nextGroup();
  }

  #finish(): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#answer();
    this.#tellOver();
  }

  #answer(): void {
    const best = bestResponse(this.#candidates);
    if (best === undefined || (this.#cancelled && best.status < 600)) {
      if (this.#cancelled) this.upstream.fail(CANCELLED, 'Request Terminated');
      else this.upstream.refuse('nobodyRegistered');
      return;
    }
    if (best.status === 503) this.#unavailable(best.response?.header('retry-after'));
    else if (best.response !== undefined)
      this.#pass(best.status, best.response, otherChallenges(best, this.#candidates));
    // RFC 4320 §4.2: no 408 to a non-INVITE; its client has given up by itself. Presence has to tell it from a 480, which would
    // end the subscription (RFC 6665 §4.2.2).
    else if (best.status === 408 && (this.#invite || this.#isNotifyFromInside()))
      this.upstream.fail(408, 'Request Timeout');
    // The edge that has forked knows what else there is; it must hear that it was the flow (RFC 5626 §5.3.1).
    else if (best.status === FLOW_FAILED && this.#isFromInside()) this.upstream.refuse('flowFailed');
    else this.upstream.refuse('nobodyRegistered');
  }

  /** RFC 3261 §16.7 step 6: a lone 503 goes back as 500, and with it when to come again (§20.33). */
  #unavailable(retryAfter: string | undefined): void {
    if (retryAfter === undefined) this.upstream.refuse('failure');
    else this.upstream.fail(500, 'Server Internal Error', `Retry-After: ${retryAfter}\r\n`);
  }

  #isFromInside(): boolean {
    return this.upstream.origin.flow === undefined;
  }

  #isNotifyFromInside(): boolean {
    return this.upstream.request.method === 'NOTIFY' && this.#isFromInside();
  }

  /** RFC 3261 §16.7 steps 3 and 9. */
  #pass(status: number, response: SipResponse, append = ''): void {
    const message = edit(response, {
      dropFirst: OUR_VIA,
      remove: REMOVED.answer,
      ...(append === '' ? undefined : { append }),
    });
    this.upstream.respond(status, message);
  }

  #cancel(reason: string): void {
    this.#closed = true;
    this.#cancelled = true;
    this.#cancelPending(reason);
    this.#check();
  }

  #cancelPending(reason: string): void {
    for (const branch of this.#branches) {
      if (branch.over) continue;
      if (branch.client === undefined) this.#end(branch);
      else if (this.#invite) {
        branch.client.cancel(reason);
        this.#startTimer(branch, CANCEL_WAIT_MS);
      }
    }
  }

  /** RFC 3261 §16.8: a branch that rings, or has only said 100, is cancelled; without an answer to that it counts as 408. */
  #expire(branch: Branch): void {
    branch.timer = undefined;
    if (branch.over) return;
    if (!branch.expired && !this.#closed) {
      branch.expired = true;
      branch.client?.cancel();
      this.#startTimer(branch, CANCEL_WAIT_MS);
      return;
    }
    this.onFailure(branch, 'timeout');
  }

  #startTimer(branch: Branch, ms: number): void {
    if (!this.#invite || branch.over) return;
    this.#stopTimer(branch);
    branch.timer = this.deps.timers.start(ms, () => {
      this.#expire(branch);
    });
  }

  #stopTimer(branch: Branch): void {
    if (branch.timer !== undefined) this.deps.timers.stop(branch.timer);
    branch.timer = undefined;
  }

  #end(branch: Branch): void {
    if (branch.over) return;
    branch.over = true;
    branch.seeking = false;
    this.#stopTimer(branch);
    this.#leave(branch);
    branch.target = NO_WAY;
    branch.hop = undefined;
    this.#tellOver();
  }

  /** The client transaction of a branch is over, or is nobody's business any more. */
  #leave(branch: Branch): void {
    if (branch.client !== undefined && branch.hop !== undefined) this.deps.busy.leave(branch.hop.flow);
    branch.client = undefined;
  }

  #tellOver(): void {
    if (this.#over || !this.#answered || this.#running() > 0) return;
    this.#over = true;
    // What is left waits for further 2xx as long as timer M runs, and needs none of these. To set the length of a list that is empty
    // already is a call into the engine all the same.
    for (const list of [this.#branches, this.#candidates, this.#groups, this.#queue])
      if (list.length > 0) list.length = 0;
    const { flow } = this.upstream.origin;
    if (flow !== undefined) this.deps.busy.leave(flow);
  }
}
