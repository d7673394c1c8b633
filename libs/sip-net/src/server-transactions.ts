import { BoundedMap } from '@rollcall/kernel';
import type { SipRequest } from '@rollcall/sip';
import {
  type Flow,
  isUniqueBranch,
  legacyAckKeyOf,
  reasonLines,
  type ServerTransaction,
  serverKeyOf,
  timersFor,
} from '@rollcall/sip-transaction';
import { CompletedRing } from './completed.ts';
import { FlightTable } from './flight-table.ts';
import { InviteServerTransaction, type InviteServerOwner } from './invite-server.ts';
import { NonInviteServerTransaction, type NonInviteServerOwner } from './non-invite-server.ts';
import { callUser, type RunnerContext } from './runner-context.ts';
import { newToken } from './tokens.ts';
import { answer, replyFlow, type SiblingFlow } from './via-source.ts';

/** RFC 3261 §21.5.4: how long a client that met a full table is asked to stay away, seconds. */
const RETRY_AFTER_S = 5;

/**
 * Runs the server transactions of a front: matches requests to them (RFC 3261 §17.2.3), and keeps their tables bounded.
 * It gets well-formed requests only.
 *
 * A non-INVITE request enters the table of pending transactions when its user has not answered it statelessly in the
 * same turn, and leaves it with its final answer for the ring of completed ones (timer J), which holds no more than
 * key, response and flow.
 */
export class ServerTransactions implements NonInviteServerOwner, InviteServerOwner {
  readonly #context: RunnerContext;
  readonly #pending = new FlightTable<NonInviteServerTransaction>();
  readonly #completed: CompletedRing;
  readonly #invites = new Map<string, InviteServerTransaction>();
  readonly #statelessInvites: BoundedMap<string, true>;
  readonly #sibling: SiblingFlow;

  constructor(context: RunnerContext, sibling: SiblingFlow) {
    this.#context = context;
    this.#completed = new CompletedRing(
      context.limits.maxCompletedTransactions,
      context.limits.maxCompletedBytes,
    );
    this.#statelessInvites = new BoundedMap(context.limits.maxStatelessInvites);
    this.#sibling = sibling;
  }

  get sizes(): { pending: number; completed: number; invites: number } {
    return {
      pending: this.#pending.size,
      completed: this.#completed.size,
      invites: this.#invites.size,
    };
  }

  receive(request: SipRequest, flow: Flow): void {
    const { counters } = this.#context;
    counters.requestsIn += 1;
    switch (request.method) {
      case 'ACK':
        this.#receiveAck(request, flow);
        return;
      case 'CANCEL':
        this.#receiveCancel(request, flow);
        return;
      case 'INVITE':
        this.#receiveInvite(request, flow);
        return;
      default:
        this.#receiveNonInvite(request, flow);
    }
  }

  /** Non-INVITE housekeeping: timer J, the late 100 of RFC 4320, and what its user never answered. */
  tick(now: number): void {
    this.#completed.expire(now);
    this.#context.counters.completedEvicted = this.#completed.evicted;
    for (const transaction of this.#pending.all()) {
      const age = now - transaction.since;
      const times = timersFor(transaction.flow.transport);
      if (age < times.tryingAfter) continue;
      if (age >= (times.first('F') ?? 0)) transaction.end();
      else if (transaction.state === 'Trying') {
        transaction.respond(100, answer(transaction.request, transaction.flow, 100));
      }
    }
  }

  stop(): void {
    for (const invite of [...this.#invites.values()]) invite.end();
    for (const pending of this.#pending.all()) pending.end();
    this.#completed.clear();
    this.#statelessInvites.clear();
  }

  onCompleted(transaction: NonInviteServerTransaction, message: string): void {
    this.#pending.take(transaction.key);
    const wait = timersFor(transaction.flow.transport).first('J') ?? 0;
    if (wait === 0) {
      transaction.apply('timerJ');
      return;
    }
    this.#completed.add(transaction.key, message, transaction.replyFlow, this.#context.clock.now() + wait);
  }

  onTerminated(transaction: NonInviteServerTransaction): void {
    if (this.#pending.get(transaction.key) === transaction) this.#pending.take(transaction.key);
  }

  onInviteTerminated(transaction: InviteServerTransaction): void {
    if (this.#invites.get(transaction.key) === transaction) this.#invites.delete(transaction.key);
    if (transaction.legacyAckKey !== undefined) this.#invites.delete(transaction.legacyAckKey);
  }

  onInviteStateless(transaction: InviteServerTransaction): void {
    this.#statelessInvites.set(transaction.legacyAckKey ?? transaction.key, true);
  }

  #receiveNonInvite(request: SipRequest, flow: Flow): void {
    const { counters, limits, clock } = this.#context;
    const key = serverKeyOf(request);
    if (key === undefined) {
      counters.malformedDropped += 1;
      return;
    }
    if (this.#completed.resend(key)) {
      counters.retransmissionsAbsorbed += 1;
      return;
    }
    const pending = this.#pending.get(key);
    if (pending !== undefined) {
      counters.retransmissionsAbsorbed += 1;
      pending.apply('retransmit');
      return;
    }
    if (this.#pending.size >= limits.maxServerTransactions) {
      this.#refuseFull(request, flow);
      return;
    }
    const transaction = new NonInviteServerTransaction(
      request,
      flow,
      this.#replyFlow(request, flow),
      key,
      clock.now(),
      this,
    );
    this.#callUser(transaction);
    if (transaction.state === 'Trying' || transaction.state === 'Proceeding')
      this.#pending.add(key, transaction);
  }

  #receiveInvite(request: SipRequest, flow: Flow): void {
    const { counters, limits } = this.#context;
    const key = serverKeyOf(request);
    if (key === undefined) {
      counters.malformedDropped += 1;
      return;
    }
    const known = this.#invites.get(key);
    if (known !== undefined) {
      counters.retransmissionsAbsorbed += 1;
      known.apply('retransmit');
      return;
    }
    if (this.#invites.size >= limits.maxServerTransactions) {
      this.#refuseFull(request, flow);
      return;
    }
    const legacyAckKey = legacyAckKeyOf(request);
    const replyFlow = this.#replyFlow(request, flow);
    const transaction = new InviteServerTransaction(
      request,
      flow,
      replyFlow,
      key,
      legacyAckKey,
      this,
      this.#context,
    );
    this.#invites.set(key, transaction);
    if (legacyAckKey !== undefined) this.#invites.set(legacyAckKey, transaction);
    this.#callUser(transaction);
    transaction.awaitAnswer();
  }

  #receiveAck(request: SipRequest, flow: Flow): void {
    const { user, counters } = this.#context;
    const key = serverKeyOf(request);
    const invite = key === undefined ? undefined : this.#invites.get(key);
    if (invite !== undefined && this.#acknowledges(request, invite)) {
      this.#abandon(invite, request);
      if (invite.acknowledge())
        this.#guard(() => {
          user.onAck(request, flow);
        });
      return;
    }
    if (key !== undefined && this.#statelessInvites.has(key)) {
      counters.retransmissionsAbsorbed += 1;
      return;
    }
    this.#guard(() => {
      user.onAck(request, flow);
    });
  }

  /**
   * The ACK to a stateless refusal, while a copy of the INVITE that was behind it in the queue has been let in: its client has
   * given up, and nobody else would stop what it rings. Clients that use a branch again at least have another CSeq.
   */
  #abandon(invite: InviteServerTransaction, ack: SipRequest): void {
    if (invite.state !== 'Proceeding' || !this.#statelessInvites.has(invite.legacyAckKey ?? invite.key))
      return;
    const [of, by] = [invite.request.cseq(), ack.cseq()];
    if (!of.ok || !by.ok || of.value.seq !== by.value.seq) return;
    this.#guard(() => {
      invite.cancelled('');
    });
  }

  /** §17.2.3: for an RFC 2543 client the To tag of the ACK must be that of the response. */
  #acknowledges(request: SipRequest, invite: InviteServerTransaction): boolean {
    const via = request.topVia();
    if (via.ok && isUniqueBranch(via.value.branch)) return true;
    const to = request.to();
    const tag = to.ok ? to.value.tag : undefined;
    return tag === undefined || invite.lastResponse?.includes(`tag=${tag}`) === true;
  }

  /** RFC 3261 §9.2. Both answers are given without state: a retransmission finds the INVITE as this one did, or not. */
  #receiveCancel(request: SipRequest, flow: Flow): void {
    const key = serverKeyOf(request, 'INVITE');
    const invite = key === undefined ? undefined : this.#invites.get(key);
    const to = this.#replyFlow(request, flow);
    if (invite === undefined) {
      to.send(answer(request, flow, 481, { toTag: newToken() }));
      return;
    }
    to.send(answer(request, flow, 200, { toTag: newToken() }));
    this.#guard(() => {
      invite.cancelled(reasonLines(request));
    });
  }

  #refuseFull(request: SipRequest, flow: Flow): void {
    this.#context.counters.serverTransactionsRefused += 1;
    const headers = `Retry-After: ${String(RETRY_AFTER_S)}\r\n`;
    this.#replyFlow(request, flow).send(answer(request, flow, 503, { toTag: newToken(), headers }));
  }

  #replyFlow(request: SipRequest, flow: Flow): Flow {
    return replyFlow(request, flow, this.#sibling);
  }

  #callUser(transaction: ServerTransaction): void {
    const done = callUser(this.#context, () => {
      this.#context.user.onRequest(transaction);
    });
    if (done) return;
    const { request, flow } = transaction;
    transaction.respond(500, answer(request, flow, 500, { toTag: newToken() }));
  }

  #guard(call: () => void): void {
    callUser(this.#context, call);
  }
}
