import type { Aor } from '@rollcall/location';
import { AorMatch } from './aor-match.ts';
import type { DomainAliases } from './aor-match.ts';
import { callHash, isRequest } from './call-id.ts';
import type { Hop, Rule, TraceEntry } from './entry.ts';
import { maskCredentials } from './mask.ts';
import type { RingItem, TraceRing } from './ring.ts';
import type { Sampler } from './sampler.ts';

/** The flow a message goes over, as far as a trace tells. */
export type TracedFlow = Pick<TraceEntry, 'transport' | 'local' | 'remote'> & { readonly id: string };

/** An AoR whose exchanges are all kept until a time. */
export interface ActiveTrace {
  readonly aor: Aor;
  /** Microseconds since 1970. */
  readonly until: number;
}

export interface RecorderOptions {
  readonly edge: string;
  readonly ring: TraceRing;
  readonly sampler: Sampler;
  /** Microseconds since 1970. */
  readonly now: () => number;
  readonly aliases: () => DomainAliases;
  /** AoRs that may be traced at one time. */
  readonly maxTraces: number;
  /** Told of each entry that is kept. */
  readonly onKept?: (entry: TraceEntry) => void;
}

interface Followed {
  readonly match: AorMatch;
  until: number;
}

/** Call-IDs of traced AoRs that are followed at one time; the oldest are forgotten first. */
const MAX_FOLLOWED = 10_000;
/** An entry is looked at in so many before others have their turn. */
export const SCAN_BATCH = 2_000;

/**
 * Decides what of the traffic of an edge is kept, and finds it again. A message is kept when its Call-ID is sampled, or belongs to an
 * exchange that began with a request about a traced AoR.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #traces = new Map<Aor, Followed>();
  /** Hashes of Call-IDs, in the order in which they were first seen. */
  readonly #calls = new Set<number>();
  #lastOctets = '';
  #lastHash: number | undefined;
  /** Messages that were kept. */
  kept = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** True when nothing is kept whatever comes: then nobody needs to ask. */
  get idle(): boolean {
    return this.#options.sampler.off && this.#traces.size === 0;
  }

  /** True when the message is to be kept. It is asked for each message of the edge. */
  wants(octets: string): boolean {
    const { sampler } = this.#options;
    const hash = this.#hashOf(octets);
    if (sampler.takes(hash)) return true;
    return this.#traces.size > 0 && hash !== undefined && this.#isFollowed(octets, hash);
  }

  /** Keeps a message, as a string of its own: a slice would keep alive what it was cut from. */
  keep(octets: string, hop: Hop, direction: 'in' | 'out', flow: TracedFlow, rule: Rule | undefined): void {
    const { ring, sampler, now, edge, onKept } = this.#options;
    const at = now();
    const call = this.#hashOf(octets);
    if (sampler.takes(call)) sampler.count(at);
    const { transport, local, remote, id } = flow;
    const entry: TraceEntry = {
      at,
      edge,
      hop,
      direction,
      transport,
      local: { address: local.address, port: local.port },
      remote: { address: remote.address, port: remote.port },
      flow: id,
      octets: Buffer.from(octets, 'latin1').toString('latin1'),
      ...(rule === undefined ? undefined : { rule }),
    };
    this.kept += 1;
    ring.push({ entry, call });
    onKept?.(entry);
  }

  /** Keeps all exchanges of an AoR until `until`. False when as many are traced as may be. */
  trace({ aor, until }: ActiveTrace): boolean {
    this.tick();
    const known = this.#traces.get(aor);
    if (known === undefined && this.#traces.size >= this.#options.maxTraces) return false;
    const match = known?.match ?? new AorMatch(aor, this.#options.aliases);
    this.#traces.set(aor, { match, until });
    return true;
  }

  untrace(aor: Aor): void {
    this.#traces.delete(aor);
    if (this.#traces.size === 0) this.#calls.clear();
  }

  traces(): ActiveTrace[] {
    this.tick();
    return [...this.#traces].map(([aor, { until }]) => ({ aor, until }));
  }

  /** Ends the traces whose time is over. */
  tick(): void {
    const now = this.#options.now();
    this.#options.sampler.tick(now);
    for (const [aor, { until }] of this.#traces) if (until <= now) this.untrace(aor);
  }

  /**
   * The exchanges of an AoR or of a Call-ID that are still there, oldest first, credentials masked; the newest `limit` messages.
   * `pause` is awaited between batches, so that a large ring does not hold others up.
   */
  async find(
    wanted: { readonly aor: Aor } | { readonly callId: string },
    limit: number,
    pause: () => Promise<void>,
  ): Promise<TraceEntry[]> {
    const items = this.#options.ring.items();
    const calls =
      'aor' in wanted
        ? await this.#callsOf(items, wanted.aor, pause)
        : new Set([callHash(`\r\nCall-ID: ${wanted.callId}\r\n`)]);
    const found = items.filter(({ call }) => call !== undefined && calls.has(call)).slice(-limit);
    return found.map(({ entry }) => ({ ...entry, octets: maskCredentials(entry.octets) }));
  }

  async #callsOf(
    items: readonly RingItem[],
    aor: Aor,
    pause: () => Promise<void>,
  ): Promise<ReadonlySet<number | undefined>> {
    const match = new AorMatch(aor, this.#options.aliases);
    const calls = new Set<number | undefined>();
    for (const [index, { entry, call }] of items.entries()) {
      if (index % SCAN_BATCH === SCAN_BATCH - 1) await pause();
      if (calls.has(call) || !isRequest(entry.octets)) continue;
      if (match.matches(entry.octets)) calls.add(call);
    }
    return calls;
  }

  /** Of a message that was just asked about it is known: the same string is asked about again when it is kept and handed on. */
  #hashOf(octets: string): number | undefined {
    if (octets === this.#lastOctets) return this.#lastHash;
    this.#lastOctets = octets;
    this.#lastHash = callHash(octets);
    return this.#lastHash;
  }

  #isFollowed(octets: string, hash: number): boolean {
    if (this.#calls.has(hash)) return true;
    if (!isRequest(octets)) return false;
    for (const { match } of this.#traces.values()) {
      if (!match.matches(octets)) continue;
      if (this.#calls.size >= MAX_FOLLOWED) {
        const [oldest] = this.#calls;
        if (oldest !== undefined) this.#calls.delete(oldest);
      }
      this.#calls.add(hash);
      return true;
    }
    return false;
  }
}
