import type { Aor, EdgeLease } from '@rollcall/location';
import type { ActiveTrace, EdgeStatus, TraceEntry } from '@rollcall/trace';
import type { EdgeClient } from './edge-client.ts';

/** What one edge answered, or why it did not. */
export type EdgeAnswer<T> =
  | { readonly lease: EdgeLease; readonly ok: true; readonly value: T }
  | { readonly lease: EdgeLease; readonly ok: false; readonly reason: string };

/** Edges asked at one time; more are a sign of something else. */
const MAX_EDGES = 256;
/** How often edges that came later are told of the traces, ms. */
const REPEAT_MS = 3_000;
const US_PER_MS = 1_000;

/** The edges that live, asked all at once and each for itself: one that hangs costs its own part of the answer. */
export class LiveEdges {
  /** Traces that were started here: an edge that starts meanwhile is told too. */
  readonly #started = new Map<Aor, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly leases: { list(): Promise<readonly EdgeLease[]> },
    /** Undefined without ROLLCALL_SECRET. */
    private readonly client: EdgeClient | undefined,
  ) {}

  statuses(): Promise<EdgeAnswer<EdgeStatus>[]> {
    return this.#all('/internal/status', (value) => value as EdgeStatus);
  }

  async flows(
    id: string,
    limit: number,
  ): Promise<EdgeAnswer<{ total: number; items: unknown[] }> | undefined> {
    const lease = (await this.leases.list()).find((one) => one.id === id);
    if (lease === undefined) return undefined;
    return this.#one(
      lease,
      `/internal/flows?limit=${String(limit)}`,
      {},
      (value) => value as { total: number; items: unknown[] },
    );
  }

  /** What the edges have kept of an AoR, merged in the order of time; the newest `limit` messages of each. */
  async find(
    aor: Aor,
    limit: number,
  ): Promise<{ entries: TraceEntry[]; answers: EdgeAnswer<TraceEntry[]>[] }> {
    const query = new URLSearchParams({ aor, limit: String(limit) }).toString();
    const answers = await this.#all(
      `/internal/trace?${query}`,
      (value) => (value as { entries: TraceEntry[] }).entries,
    );
    const entries = answers.flatMap((answer) => (answer.ok ? answer.value : []));
    return { entries: entries.sort((a, b) => a.at - b.at).slice(-limit), answers };
  }

  /** AoRs that are traced, each with the last end that an edge knows. */
  async traces(): Promise<ActiveTrace[]> {
    return merged(await this.#all('/internal/traces', readTraces));
  }

  /** Has every edge keep the exchanges of an AoR until `untilMs`; undefined when none could be told. */
  async start(aor: Aor, untilMs: number): Promise<EdgeAnswer<ActiveTrace[]>[]> {
    this.#started.set(aor, untilMs);
    this.#timer ??= setInterval(() => {
      this.#repeat();
    }, REPEAT_MS).unref();
    return this.#tell(aor, untilMs);
  }

  async stop(aor: Aor): Promise<void> {
    this.#started.delete(aor);
    await this.#all(`/internal/traces?${new URLSearchParams({ aor }).toString()}`, readTraces, {
      method: 'DELETE',
    });
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #repeat(): void {
    for (const [aor, until] of this.#started) {
      if (until <= Date.now()) this.#started.delete(aor);
      // The store may be away; the next round tries again.
      else this.#tell(aor, until).catch(() => undefined);
    }
    if (this.#started.size === 0) this.close();
  }

  #tell(aor: Aor, untilMs: number): Promise<EdgeAnswer<ActiveTrace[]>[]> {
    const body = { aor, until: untilMs * US_PER_MS };
    return this.#all('/internal/traces', readTraces, { method: 'PUT', body });
  }

  async #all<T>(
    path: string,
    read: (value: unknown) => T,
    more: { readonly method?: string; readonly body?: unknown } = {},
  ): Promise<EdgeAnswer<T>[]> {
    const leases = await this.leases.list();
    return Promise.all(leases.slice(0, MAX_EDGES).map((lease) => this.#one(lease, path, more, read)));
  }

  async #one<T>(
    lease: EdgeLease,
    path: string,
    more: { readonly method?: string; readonly body?: unknown },
    read: (value: unknown) => T,
  ): Promise<EdgeAnswer<T>> {
    if (this.client === undefined) return { lease, ok: false, reason: 'ROLLCALL_SECRET is not set' };
    if (lease.http === undefined)
      return { lease, ok: false, reason: 'the edge does not say where it is reached' };
    try {
      return { lease, ok: true, value: read(await this.client.ask(lease.http, path, more)) };
    } catch (error) {
      return { lease, ok: false, reason: error instanceof Error ? error.message : String(error) };
    }
  }
}

const readTraces = (value: unknown): ActiveTrace[] => (value as { traces: ActiveTrace[] }).traces;

function merged(answers: readonly EdgeAnswer<ActiveTrace[]>[]): ActiveTrace[] {
  const byAor = new Map<Aor, number>();
  for (const answer of answers) {
    if (!answer.ok) continue;
    for (const { aor, until } of answer.value) byAor.set(aor, Math.max(until, byAor.get(aor) ?? 0));
  }
  return [...byAor].sort(([a], [b]) => (a < b ? -1 : 1)).map(([aor, until]) => ({ aor, until }));
}
