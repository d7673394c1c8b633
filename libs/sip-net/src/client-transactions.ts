import type { SipResponse } from '@rollcall/sip';
import { clientKey, clientKeyOf, type ClientTransactionUser, type Flow } from '@rollcall/sip-transaction';
import type { ClientOwner, ClientTransaction } from './client-transaction.ts';
import { AnsweredClients } from './answered-clients.ts';
import { FlightTable } from './flight-table.ts';
import { InviteClientTransaction } from './invite-client.ts';
import { NonInviteClientTransaction } from './non-invite-client.ts';
import { callUser, type RunnerContext } from './runner-context.ts';

const ignoreOutcome: ClientTransactionUser = { onResponse: () => undefined, onFailure: () => undefined };

/** Runs the client transactions of a front: starts them, and matches responses to them (RFC 3261 §17.1.3). */
export class ClientTransactions implements ClientOwner {
  readonly #context: RunnerContext;
  readonly #clients = new FlightTable<ClientTransaction>();
  readonly #answered: AnsweredClients;

  constructor(context: RunnerContext) {
    this.#context = context;
    this.#answered = new AnsweredClients(context.limits.maxAnsweredClients);
  }

  get sizes(): { clients: number; answered: number } {
    return { clients: this.#clients.size, answered: this.#answered.size };
  }

  receive(response: SipResponse, flow: Flow): void {
    const { counters, user } = this.#context;
    counters.responsesIn += 1;
    // §18.1.2 wants the sent-by compared with ours; our branches are unguessable and say the same more strictly.
    const key = clientKeyOf(response);
    const client = key === undefined ? undefined : this.#clients.get(key);
    if (client !== undefined) {
      client.receive(response);
      return;
    }
    if (key !== undefined && this.#answered.has(key)) return;
    counters.strayResponses += 1; // RFC 6026 §8.9: dropped, unless the user wants to see it
    if (key?.startsWith('INVITE') === true && response.status >= 200 && response.status < 300) {
      callUser(this.#context, () => {
        user.onStrayResponse?.(response, flow);
      });
    }
  }

  start(
    flow: Flow,
    method: string,
    branch: string,
    message: string,
    user: ClientTransactionUser,
  ): ClientTransaction {
    const { limits, counters } = this.#context;
    const key = clientKey(branch, method);
    const Machine = method === 'INVITE' ? InviteClientTransaction : NonInviteClientTransaction;
    const client = new Machine(key, flow, message, user, this, this.#context);
    if (this.#clients.size >= limits.maxClientTransactions) {
      counters.clientTransactionsRefused += 1;
      client.end();
      queueMicrotask(() => {
        callUser(this.#context, () => {
          user.onFailure('transport');
        });
      });
      return client;
    }
    this.#clients.add(key, client);
    client.begin();
    return client;
  }

  startCancel(flow: Flow, branch: string, message: string): void {
    this.start(flow, 'CANCEL', branch, message, ignoreOutcome);
  }

  onClientTerminated(transaction: ClientTransaction): void {
    if (this.#clients.get(transaction.key) === transaction) this.#clients.take(transaction.key);
  }

  /** Most of them, with NOTIFYs by the thousand: Completed for five seconds over UDP. */
  onClientAnswered(transaction: ClientTransaction, ms: number): void {
    this.onClientTerminated(transaction);
    this.#answered.add(transaction.key, this.#context.clock.now() + ms);
  }

  /** Timer K. */
  tick(now: number): void {
    this.#answered.expire(now);
  }

  stop(): void {
    for (const client of this.#clients.all()) client.end();
  }
}
