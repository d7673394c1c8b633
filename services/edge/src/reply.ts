import { challenge } from '@rollcall/digest';
import type { Algorithm } from '@rollcall/digest';
import { base36Padded } from '@rollcall/kernel';
import { respond } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import type { ServerTransaction } from '@rollcall/sip-transaction';
import type { EdgeCounters } from './counters.ts';
import { viaWithSource } from './hop.ts';
import { REFUSALS } from './refusals.ts';
import type { Refusal, RefusalName } from './refusals.ts';

/** Which of the two challenges of RFC 3261 §22 a request gets. */
export type Side = 'user' | 'proxy';

export interface ReplyOptions {
  /** What a refused client is asked to wait at least, seconds; up to twice as long, so that clients do not come back as one (RFC 6357 §4). */
  readonly retryAfterS: number;
  readonly algorithms: readonly Algorithm[];
  /** Between 0 and 1. */
  readonly random: () => number;
}

/** Answers of the edge itself, each counted. */
export class Replies {
  /** The rule by which a request is refused, only while its answer is sent: who looks on at the messages reads it. */
  refusing: RefusalName | undefined = undefined;

  constructor(
    private readonly counters: EdgeCounters,
    private readonly options: ReplyOptions,
  ) {}

  /**
   * Refuses a request. The reply leaves no state behind: whoever is refused before authentication must not cost memory, and
   * a retransmission is refused again (RFC 3261 §8.2.7).
   */
  refuse(transaction: ServerTransaction, name: RefusalName, headers = ''): void {
    const refusal: Refusal = REFUSALS[name];
    this.counters.refusals[name] += 1;
    const retry = refusal.retry === true ? this.#retryAfter() : '';
    this.#stateless(transaction, name, headers + retry);
  }

  /** Refuses for good inside a transaction: what an accepted request gets after it has been handed on. */
  refuseStateful(transaction: ServerTransaction, name: RefusalName, headers = ''): void {
    const refusal: Refusal = REFUSALS[name];
    this.counters.refusals[name] += 1;
    const retry = refusal.retry === true ? this.#retryAfter() : '';
    this.refusing = name;
    this.send(transaction, refusal.status, this.#compose(transaction, refusal, headers + retry));
    this.refusing = undefined;
  }

  /** 401 or 407 with one challenge for each algorithm (RFC 3261 §22.2, §22.3; RFC 8760 §2.3). */
  challenge(
    transaction: ServerTransaction,
    realm: string,
    nonce: string,
    side: Side,
    stale: boolean,
    algorithms: readonly Algorithm[] = this.options.algorithms,
  ): void {
    const name: RefusalName = side === 'proxy' ? 'proxyAuthRequired' : 'unauthorized';
    this.counters.refusals[name] += 1;
    const lines = challenge({
      realm,
      nonce,
      algorithms,
      stale,
      proxy: side === 'proxy',
    });
    this.#stateless(transaction, name, lines);
  }

  /** Answers without a body and without state. */
  answerStateless(transaction: ServerTransaction, status: number, headers: string): void {
    this.counters.answers[status] = (this.counters.answers[status] ?? 0) + 1;
    transaction.respondStateless(this.compose(transaction, status, undefined, headers));
  }

  /** Passes a whole response on. */
  send(transaction: ServerTransaction, status: number, message: string): void {
    this.counters.answers[status] = (this.counters.answers[status] ?? 0) + 1;
    transaction.respond(status, message);
  }

  /** A response of our own, whole. */
  compose(transaction: ServerTransaction, status: number, reason: string | undefined, headers = ''): string {
    const { request, flow } = transaction;
    const topVia = viaWithSource(request, flow);
    return respond(request, status, { reason, toTag: statelessTag(request), topVia, headers });
  }

  #compose(transaction: ServerTransaction, refusal: Refusal, headers: string): string {
    return this.compose(transaction, refusal.status, refusal.reason, headers);
  }

  #stateless(transaction: ServerTransaction, name: RefusalName, headers: string): void {
    const refusal: Refusal = REFUSALS[name];
    this.counters.answers[refusal.status] = (this.counters.answers[refusal.status] ?? 0) + 1;
    this.refusing = name;
    transaction.respondStateless(this.#compose(transaction, refusal, headers));
    this.refusing = undefined;
  }

  #retryAfter(): string {
    const { retryAfterS, random } = this.options;
    return `Retry-After: ${String(retryAfterS + Math.floor(random() * (retryAfterS + 1)))}\r\n`;
  }
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const TAG_SEED = Math.floor(Math.random() * 0x7fffffff);

/**
 * The To-tag of an answer that is not kept: the same for every retransmission (RFC 3261 §8.2.7), so a hash of the top Via
 * and the Call-ID.
 */
function statelessTag(request: SipRequest): string {
  let first = FNV_OFFSET ^ TAG_SEED;
  let second = TAG_SEED;
  for (const text of [request.header('via'), request.header('call-id')]) {
    if (text === undefined) continue;
    for (let i = 0; i < text.length; i += 1) {
      first = Math.imul(first ^ text.charCodeAt(i), FNV_PRIME);
      second = Math.imul(second + text.charCodeAt(i), 0x9e3779b1) ^ (second >>> 15);
    }
  }
  return fixedWidth(first) + fixedWidth(second);
}

/** 32 bits in 7 digits base 36: all tags are of one length, so that no reply tells by its size what it refuses. */
const fixedWidth = (bits: number): string => base36Padded(bits >>> 0, 7);
