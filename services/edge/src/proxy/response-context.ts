import type { TimerHandle, Timers } from '@rollcall/kernel';
import { edit } from '@rollcall/sip';
import type { SipResponse } from '@rollcall/sip';
import type { ClientTransaction, ClientTransactionUser } from '@rollcall/sip-transaction';
import { newBranch } from '../hop.ts';
import { REMOVED } from '../trust-boundary.ts';
import { bestResponse, otherChallenges } from './best-response.ts';
import type { Candidate } from './best-response.ts';
import type { Egress, Hop, Onward } from './egress.ts';
import type { Upstream } from './upstream.ts';

/** One target of a request and how its hop is found. */
export interface Target {
  readonly onward: Onward;
  /** Calls back, at once or later; undefined when the flow is gone. */
  readonly resolve: (done: (hop: Hop | undefined) => void) => void;
}

export interface ContextDeps {
  readonly egress: Egress;
  readonly timers: Timers;
  /** Appended to every branch, so that a request that comes round is known (RFC 3261 §16.6 step 8). */
  readonly loopMark: string;
}

/** RFC 3261 §16.6 step 11: timer C is larger than 3 minutes. */
const TIMER_C_MS = 190_000;
/** RFC 3261 §9.1: a cancelled transaction without a final answer is over after 64*T1. */
const CANCEL_WAIT_MS = 32_000;

const OUR_VIA = ['via'] as const;

/** One client transaction of the context. */
class Branch implements ClientTransactionUser {
  client: ClientTransaction | undefined;
  timer: TimerHandle | undefined;
  provisional = false;
  over = false;

  constructor(private readonly context: ResponseContext) {}

  onResponse(response: SipResponse): void {
    this.context.onResponse(this, response);
  }

  onFailure(reason: 'timeout' | 'transport'): void {
    this.context.onFailure(this, reason);
  }
}

/**
 * The response context of one proxied request (RFC 3261 §16.7): groups of targets one after the other, the targets of a group
 * at the same time; the first 2xx wins, a 6xx ends the search, otherwise the best answer goes back.
 */
export class ResponseContext {
  readonly #invite: boolean;
  readonly #groups: Target[][];
  readonly #branches: Branch[] = [];
  readonly #candidates: Candidate[] = [];
  #answered = false;
  /** No further targets: the client has cancelled, or a 6xx has come. */
  #closed = false;
  #cancelled = false;

  constructor(
    private readonly deps: ContextDeps,
    private readonly upstream: Upstream,
    groups: readonly (readonly Target[])[],
  ) {
    this.#invite = upstream.request.method === 'INVITE';
    this.#groups = groups.map((group) => [...group]);
  }

  start(): void {
    if (this.#invite)
      this.upstream.onCancel(() => {
        this.#cancel();
      });
    this.#nextGroup();
  }

  onResponse(branch: Branch, response: SipResponse): void {
    const { status } = response;
    if (status < 200) {
      branch.provisional = true;
      this.#startTimer(branch, TIMER_C_MS);
      if (status > 100 && !this.#answered) this.#pass(status, response);
      return;
    }
    this.#end(branch);
    if (status < 300) {
      if (this.#answered && !this.#invite) return;
      this.#answered = true;
      this.#closed = true;
      this.#pass(status, response);
      this.#cancelPending();
      return;
    }
    this.#candidates.push({ status, response });
    if (status >= 600) {
      this.#closed = true;
      this.#cancelPending();
    }
    this.#check();
  }

  onFailure(branch: Branch, reason: 'timeout' | 'transport'): void {
    if (branch.over) return;
    this.#end(branch);
    this.#candidates.push({ status: reason === 'timeout' ? 408 : 430 });
    this.#check();
  }

  #nextGroup(): void {
    const group = this.#closed ? undefined : this.#groups.shift();
    if (group === undefined) {
      this.#finish();
      return;
    }
    const started = group.map((target) => ({ target, branch: new Branch(this) }));
    // All are counted before the first is sent: one may fail while it is being sent.
    this.#branches.push(...started.map(({ branch }) => branch));
    for (const { target, branch } of started) {
      target.resolve((hop) => {
        this.#launch(branch, target, hop);
      });
    }
  }

  #launch(branch: Branch, target: Target, hop: Hop | undefined): void {
    if (this.#closed || hop === undefined) {
      this.#end(branch);
      if (hop === undefined) this.#candidates.push({ status: 430 });
      this.#check();
      return;
    }
    const { egress, loopMark } = this.deps;
    const { request, origin } = this.upstream;
    const name = newBranch() + loopMark;
    const message = egress.compose(request, hop, target.onward, origin, name);
    if (this.#invite) this.#startTimer(branch, TIMER_C_MS);
    branch.client = egress.request(hop.flow, request.method, name, message, branch);
  }

  #check(): void {
    if (this.#answered || this.#branches.some((branch) => !branch.over)) return;
    this.#nextGroup();
  }

  #finish(): void {
    if (this.#answered) return;
    this.#answered = true;
    const best = bestResponse(this.#candidates);
    if (best === undefined || (this.#cancelled && best.status < 600)) {
      if (this.#cancelled) this.upstream.fail(487, 'Request Terminated');
      else this.upstream.refuse('nobodyRegistered');
      return;
    }
    if (best.status === 503) this.upstream.refuse('failure');
    else if (best.response !== undefined)
      this.#pass(best.status, best.response, otherChallenges(best, this.#candidates));
    // RFC 4320 §4.2: no 408 to a non-INVITE; its client has given up by itself.
    else if (best.status === 408 && this.#invite) this.upstream.fail(408, 'Request Timeout');
    else this.upstream.refuse('nobodyRegistered');
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

  #cancel(): void {
    this.#closed = true;
    this.#cancelled = true;
    this.#cancelPending();
    this.#check();
  }

  #cancelPending(): void {
    if (!this.#invite) return;
    for (const branch of this.#branches) {
      if (branch.over) continue;
      branch.client?.cancel();
      this.#startTimer(branch, CANCEL_WAIT_MS);
    }
  }

  /** RFC 3261 §16.8: a branch that rings is cancelled, one that was never heard of counts as 408. */
  #expire(branch: Branch): void {
    branch.timer = undefined;
    if (branch.over) return;
    if (branch.provisional && !this.#closed) {
      branch.client?.cancel();
      this.#startTimer(branch, CANCEL_WAIT_MS);
      branch.provisional = false;
      return;
    }
    this.onFailure(branch, 'timeout');
  }

  #startTimer(branch: Branch, ms: number): void {
    if (!this.#invite || branch.over) return;
    if (branch.timer !== undefined) this.deps.timers.stop(branch.timer);
    branch.timer = this.deps.timers.start(ms, () => {
      this.#expire(branch);
    });
  }

  #end(branch: Branch): void {
    branch.over = true;
    if (branch.timer !== undefined) this.deps.timers.stop(branch.timer);
    branch.timer = undefined;
  }
}
