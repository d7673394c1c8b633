import type { SipRequest } from '@rollcall/sip';
import type { Flow, FrontUser, ServerTransaction } from '@rollcall/sip-transaction';
import type { Admission } from './admission.ts';
import { AS_PROXY } from './capabilities.ts';
import { countRequest } from './counters.ts';
import type { EdgeCounters } from './counters.ts';
import type { DomainTable } from './domain-table.ts';
import type { EventForwarder } from './forward-event.ts';
import type { RegisterForwarder } from './forward-register.ts';
import type { OwnAddresses } from './own-addresses.ts';
import type { CallProxy } from './proxy/call-proxy.ts';
import type { Replies } from './reply.ts';

/** A host that is an address and not a domain. */
const IP_LITERAL = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\])$/;

/** Requests of phones, by method (RFC 3261 §16.3 for all of them, then who is responsible). */
export class OnRequest implements FrontUser {
  /** Set at the end of a drain: no new requests are taken, those at work finish. */
  draining = false;

  constructor(
    private readonly registers: RegisterForwarder,
    private readonly events: EventForwarder,
    private readonly calls: CallProxy,
    private readonly domains: DomainTable,
    private readonly own: OwnAddresses,
    private readonly replies: Replies,
    private readonly counters: EdgeCounters,
    private readonly admission: Admission,
    /** Header lines that tell what is served here. */
    private readonly capabilities: string,
  ) {}

  onRequest(transaction: ServerTransaction): void {
    const { request } = transaction;
    countRequest(this.counters, request.method);
    if (this.draining) {
      this.replies.refuse(transaction, 'draining');
      return;
    }
    if (this.admission.refuses(request)) {
      this.replies.refuse(transaction, 'overload');
      return;
    }
    if (this.#isStopped(transaction)) return;
    switch (request.method) {
      case 'REGISTER':
        this.registers.handle(transaction);
        return;
      case 'SUBSCRIBE':
      case 'PUBLISH':
        if (this.events.serves(transaction)) this.events.handle(transaction);
        else this.calls.handle(transaction);
        return;
      case 'OPTIONS':
        if (this.#isForUs(request)) this.replies.answerStateless(transaction, 200, this.capabilities);
        else this.calls.handle(transaction);
        return;
      default:
        this.calls.handle(transaction);
    }
  }

  onAck(request: SipRequest, flow: Flow): void {
    countRequest(this.counters, 'ACK');
    const maxForwards = request.maxForwards();
    if (maxForwards.ok && maxForwards.value === 0) return;
    this.calls.acknowledge(request, flow);
  }

  /** RFC 3261 §16.3 items 3 and 5. True when the request has been answered. */
  #isStopped(transaction: ServerTransaction): boolean {
    const { request } = transaction;
    const maxForwards = request.maxForwards();
    if (maxForwards.ok && maxForwards.value === 0) {
      // RFC 3261 §11: an OPTIONS whose hops end here is answered here.
      if (request.method === 'OPTIONS') {
        const told = this.#isForUs(request) ? this.capabilities : AS_PROXY;
        this.replies.answerStateless(transaction, 200, told);
      } else this.replies.refuse(transaction, 'tooManyHops');
      return true;
    }
    if (!request.has('proxy-require')) return false;
    const options = request.options('proxy-require');
    if (options.length === 0) return false;
    this.replies.refuse(transaction, 'proxyRequire', `Unsupported: ${options.join(', ')}\r\n`);
    return true;
  }

  /** An OPTIONS that names nobody: one of our domains, or an address, which a balancer in front may have rewritten to us. */
  #isForUs(request: SipRequest): boolean {
    const uri = request.uri();
    if (!uri.ok || uri.value.kind !== 'sip' || (uri.value.user ?? '') !== '') return false;
    return (
      this.domains.get(uri.value.host) !== undefined ||
      this.own.has(uri.value) ||
      IP_LITERAL.test(uri.value.host)
    );
  }
}
