import { edit } from '@rollcall/sip';
import type { ServerTransaction } from '@rollcall/sip-transaction';
import type { EdgeCounters, InnerTarget } from './counters.ts';
import { newBranch, nextMaxForwards, viaWithSource } from './hop.ts';
import type { InnerLink, InnerOutcome } from './ports.ts';
import type { Replies } from './reply.ts';
import { PROBE_ASK, removeProbe } from '@rollcall/trace';
import { REMOVED } from './trust-boundary.ts';

/** How a request changes on its way to an inner service. */
export interface InnerHop {
  /** Chooses the replica. */
  readonly key: string;
  /** Header lines put first: Path or Record-Route, identity. */
  readonly lines: string;
  /** The Path that the request came with is kept below ours. */
  readonly keepsPath?: boolean;
  /** Header lines instead of the Contact and Expires that the client sent. */
  readonly contacts?: string;
  /** Told of the answer after it has gone to the client; `below` is the answer without our Via. */
  readonly settled?: (status: number, below: string) => void;
  /** Told when the client has its answer, whoever gave it. */
  readonly ended?: (() => void) | undefined;
}

function removedFrom({ contacts, keepsPath }: InnerHop): readonly string[] {
  if (contacts !== undefined) return REMOVED.toServiceAnew;
  return keepsPath === true ? REMOVED.toServiceBehind : REMOVED.toService;
}

const NEVER = (): boolean => false;

/** The traceparent of the running span; undefined when nothing is traced. */
export type CurrentTrace = () => string | undefined;

/**
 * Hands requests to the replicas of one inner service and their answers back. The bytes are spliced: what the edge does not
 * understand passes untouched.
 */
export class InnerForwarder {
  readonly #viaStart: string;

  constructor(
    private readonly target: InnerTarget,
    private readonly link: InnerLink,
    private readonly replies: Replies,
    private readonly counters: EdgeCounters,
    private readonly trace: CurrentTrace,
    /** Where inner services reach this edge, `host:port`; it is never told to the outside. */
    inner: string,
    /** True for an exchange that somebody looks at: the service is asked for its times. */
    private readonly isTraced: (octets: string) => boolean = NEVER,
  ) {
    this.#viaStart = `Via: SIP/2.0/TCP ${inner};branch=`;
  }

  forward(transaction: ServerTransaction, hop: InnerHop): void {
    const { request } = transaction;
    const branch = newBranch();
    const trace = this.trace();
    const traceLine = trace === undefined ? '' : `Traceparent: ${trace}\r\n`;
    const probed = this.isTraced(request.raw);
    const message = edit(request, {
      prepend: `${this.#viaStart}${branch}\r\n${hop.lines}${hop.contacts ?? ''}${traceLine}${probed ? PROBE_ASK : ''}`,
      maxForwards: nextMaxForwards(request),
      remove: removedFrom(hop),
      topVia: viaWithSource(request, transaction.flow),
    });
    this.link.request(hop.key, branch, message, (outcome) => {
      this.#settle(transaction, outcome, probed);
      if (hop.settled !== undefined && outcome.kind === 'response')
        hop.settled(outcome.status, outcome.below);
      hop.ended?.();
    });
  }

  #settle(transaction: ServerTransaction, outcome: InnerOutcome, probed: boolean): void {
    this.counters.inner[this.target][outcome.kind] += 1;
    switch (outcome.kind) {
      case 'response':
        this.replies.send(transaction, outcome.status, probed ? removeProbe(outcome.below) : outcome.below);
        return;
      case 'unavailable':
        this.replies.refuseStateful(transaction, 'innerAway');
        return;
      case 'timeout':
        this.replies.refuseStateful(transaction, 'innerSlow');
    }
  }
}
