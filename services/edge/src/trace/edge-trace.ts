import type { TappedFlow, TapSlot } from '@rollcall/sip-net';
import { Recorder, Sampler, TraceRing } from '@rollcall/trace';
import type { DomainAliases, Hop, Rule, TraceEntry, TracedFlow } from '@rollcall/trace';

export interface EdgeTraceOptions {
  readonly edge: string;
  /** Per cent of the Call-IDs, and messages a second at most. */
  readonly sample: number;
  readonly rate: number;
  readonly entries: number;
  readonly bytes: number;
  readonly aliases: () => DomainAliases;
  /** The rule by which the edge refuses just now, while it sends the answer. */
  readonly refusing: () => Rule | undefined;
  /** Told of each message that is kept, credentials and all. */
  readonly onKept?: (entry: TraceEntry) => void;
}

/** AoRs that may be traced at one time: more is no search for a fault but eavesdropping. */
export const MAX_TRACES = 100;
/** How often traces are looked at that have ended, ms. */
const TICK_MS = 1_000;
/** How far the two clocks may come apart before one is set by the other, ms. */
const DRIFT_MS = 5;
const US_PER_MS = 1_000;
const WILDCARDS = new Set(['0.0.0.0', '::']);

/**
 * The traffic of this edge as it is kept to be looked at. While nothing is sampled and nobody traced, the taps are out and a message
 * costs a comparison.
 */
export class EdgeTrace {
  readonly front: TapSlot = { tap: undefined };
  readonly registrar: TapSlot = { tap: undefined };
  readonly presence: TapSlot = { tap: undefined };
  /** Who connects to the edge from inside: presence, other edges. */
  readonly inner: TapSlot = { tap: undefined };
  readonly recorder: Recorder;
  readonly ring: TraceRing;
  readonly sampler: Sampler;
  readonly #options: EdgeTraceOptions;
  readonly #interval: NodeJS.Timeout;
  #offset = Date.now() - performance.now();

  constructor(options: EdgeTraceOptions) {
    this.#options = options;
    this.ring = new TraceRing({ entries: options.entries, bytes: options.bytes });
    this.sampler = new Sampler({ percent: options.sample, perSecond: options.rate });
    this.recorder = new Recorder({
      edge: options.edge,
      ring: this.ring,
      sampler: this.sampler,
      now: () => this.now(),
      aliases: options.aliases,
      maxTraces: MAX_TRACES,
      ...(options.onKept === undefined ? undefined : { onKept: options.onKept }),
    });
    this.#interval = setInterval(() => {
      this.#tick();
    }, TICK_MS);
    this.#interval.unref();
    this.update();
  }

  /** Microseconds since 1970; it goes on evenly between corrections, so that messages keep their order. */
  now(): number {
    return Math.round((performance.now() + this.#offset) * US_PER_MS);
  }

  /** True when the exchange of this message is kept. */
  isTraced(octets: string): boolean {
    return this.front.tap !== undefined && this.recorder.wants(octets);
  }

  /** Puts the taps in or takes them out, as there is something to keep. */
  update(): void {
    const on = !this.recorder.idle;
    if (on === (this.front.tap !== undefined)) return;
    this.#fill(this.front, on ? 'phone' : undefined);
    this.#fill(this.registrar, on ? 'registrar' : undefined);
    this.#fill(this.presence, on ? 'presence' : undefined);
    this.#fill(this.inner, on ? 'inner' : undefined);
  }

  stop(): void {
    clearInterval(this.#interval);
  }

  #tick(): void {
    const offset = Date.now() - performance.now();
    if (Math.abs(offset - this.#offset) > DRIFT_MS) this.#offset = offset;
    this.recorder.tick();
    this.update();
  }

  #fill(slot: TapSlot, hop: Hop | undefined): void {
    const { recorder } = this;
    const { refusing } = this.#options;
    slot.tap =
      hop === undefined
        ? undefined
        : {
            received: (message, flow) => {
              if (recorder.wants(message)) recorder.keep(message, hop, 'in', seen(flow), undefined);
            },
            sent: (message, flow) => {
              if (!recorder.wants(message)) return;
              recorder.keep(message, hop, 'out', seen(flow), hop === 'phone' ? refusing() : undefined);
            },
          };
  }
}

/** A listener on all addresses is shown with the one that it tells. */
function seen(flow: TappedFlow): TracedFlow {
  const { local, advertised } = flow;
  if (advertised === undefined || !WILDCARDS.has(local.address)) return flow;
  return {
    id: flow.id,
    transport: flow.transport,
    remote: flow.remote,
    local: { address: advertised.address, port: local.port },
  };
}
