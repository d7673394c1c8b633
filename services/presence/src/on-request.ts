import { refusal, renderRefusal } from '@rollcall/events';
import type { Refusal } from '@rollcall/events';
import { StoreUnavailable } from '@rollcall/location';
import { checkRequest } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import type { PresenceCounters } from './counters.ts';
import type { OnPublish } from './on-publish.ts';
import type { OnSubscribe, Reply } from './on-subscribe.ts';
import type { PresenceLog } from './ports.ts';
import { probeOf } from './probe.ts';
import type { Probe } from './probe.ts';

/** Runs a handler inside the span of its request. */
export type Traced = (request: SipRequest, handle: () => Promise<void>) => Promise<void>;

export interface RequestDeps {
  readonly onSubscribe: OnSubscribe;
  readonly onPublish: OnPublish;
  readonly counters: PresenceCounters;
  readonly log: PresenceLog;
  readonly traced: Traced;
  readonly newToken: () => string;
  /** Seconds for Retry-After, spread so that not everybody comes back at once (RFC 5390 §3). */
  readonly retryAfter: () => number;
}

/** Requests that may be worked on at one time; the edges have limits of their own, this one keeps our memory. */
export const MAX_WORKING = 10_000;

/** Every request of an edge comes in here, and every one is answered. */
export class OnRequest {
  #working = 0;

  constructor(private readonly deps: RequestDeps) {}

  get working(): number {
    return this.#working;
  }

  handle(request: SipRequest, reply: Reply): void {
    const { counters } = this.deps;
    const method = request.method;
    if (method === 'ACK') return;
    const probe = probeOf(request);
    const answer = probe === undefined ? reply : probe.around(reply);
    if (method !== 'SUBSCRIBE' && method !== 'PUBLISH') {
      counters.requests.other += 1;
      this.#refuse(request, answer, refusal('method', 'Allow: SUBSCRIBE, PUBLISH\r\n'));
      return;
    }
    counters.requests[method] += 1;
    if (checkRequest(request, { stream: true }) !== undefined) {
      this.#refuse(request, answer, refusal('malformed'));
      return;
    }
    if (this.#working >= MAX_WORKING) {
      this.#refuse(request, answer, refusal('overloaded'));
      return;
    }
    this.#work(request, answer, probe);
  }

  #work(request: SipRequest, reply: Reply, probe: Probe | undefined): void {
    const { onSubscribe, onPublish, traced, log } = this.deps;
    const handler = request.method === 'SUBSCRIBE' ? onSubscribe : onPublish;
    this.#working += 1;
    const done = (): void => {
      this.#working -= 1;
    };
    traced(request, () => handler.handle(request, reply, probe)).then(done, (error: unknown) => {
      done();
      if (error instanceof StoreUnavailable) {
        this.#refuse(request, reply, refusal('store-unavailable'));
        return;
      }
      log.error({ err: error, method: request.method }, 'request failed');
      this.#refuse(request, reply, refusal('contended'));
    });
  }

  #refuse(request: SipRequest, reply: Reply, reason: Refusal): void {
    this.deps.counters.refused(reason.label);
    reply(renderRefusal(request, reason, this.deps.newToken(), this.deps.retryAfter()), reason.label);
  }
}
