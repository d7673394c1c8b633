import { BoundedMap } from '@rollcall/kernel';
import type { TimerHandle, Timers } from '@rollcall/kernel';
import type { Aor, Binding, LocationReader, StoreClock } from '@rollcall/location';
import type { ClientTransactionUser, Flow, SipFront } from '@rollcall/sip-transaction';
import { newBranch, outerVia } from './hop.ts';
import type { FlowFinding, FlowReports } from './flow-reports.ts';
import type { Registered } from './register-listeners.ts';

export interface QualifyOptions {
  /** Between two pings of one binding, ms; each is sent up to a tenth earlier or later. */
  readonly intervalMs: number;
  /** Bindings that are pinged; past it the one that registered longest ago is not. */
  readonly limit: number;
}

export interface QualifyCounters {
  sent: number;
  answered: number;
  lost: number;
}

export interface QualifyDeps {
  readonly front: SipFront;
  readonly location: LocationReader;
  readonly storeClock: StoreClock;
  readonly reports: FlowReports;
  readonly timers: Timers;
  readonly random: () => number;
  readonly now: () => number;
  /** Domain that the pings come from, for their From. */
  readonly host: string;
}

/** One AoR at one flow of ours. */
interface Watched {
  readonly aor: Aor;
  readonly path: string;
  readonly flow: Flow;
  due: number;
}

const TICK_MS = 250;
const MS_PER_SECOND = 1_000;
/** Pings on their way at one time: a burst of them would be a flood of its own. */
const IN_FLIGHT = 500;
const JITTER = 0.2;
/** A round trip that changes by less is no news worth a write. */
const RTT_NEWS = 2;
const RTT_NEWS_MS = 50;

/**
 * Asks devices whether they are there (E16): an OPTIONS to each binding on its own flow, by the edge that owns the flow. What is
 * found goes into the record through the registrar, and only when it is news.
 */
export class Qualifier {
  readonly counters: QualifyCounters = { sent: 0, answered: 0, lost: 0 };
  readonly #watched: BoundedMap<string, Watched>;
  /** What was found last, by binding. */
  readonly #found: BoundedMap<string, FlowFinding>;
  /** Told of each round trip, seconds. */
  onRoundTrip: (seconds: number) => void = () => undefined;
  #inFlight = 0;
  #timer: TimerHandle | undefined;
  #stopped = false;

  constructor(
    private readonly deps: QualifyDeps,
    private readonly options: QualifyOptions,
  ) {
    this.#watched = new BoundedMap(options.limit);
    this.#found = new BoundedMap(options.limit);
  }

  get size(): number {
    return this.#watched.size;
  }

  /** Bindings by what was found last. */
  reachable(): { reachable: number; unreachable: number } {
    let reachable = 0;
    let unreachable = 0;
    for (const { state } of this.#found.values()) {
      if (state === 'reachable') reachable += 1;
      else unreachable += 1;
    }
    return { reachable, unreachable };
  }

  onRegistered({ aor, path, flow }: Registered): void {
    const key = `${aor} ${path}`;
    const known = this.#watched.peek(key);
    const due = known?.due ?? this.deps.now() + this.options.intervalMs * this.deps.random();
    this.#watched.set(key, { aor, path, flow, due });
    this.#timer ??= this.#later();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== undefined) this.deps.timers.stop(this.#timer);
  }

  #later(): TimerHandle | undefined {
    if (this.#stopped) return undefined;
    return this.deps.timers.start(TICK_MS, () => {
      this.#tick();
      this.#timer = this.#watched.size > 0 ? this.#later() : undefined;
    });
  }

  #tick(): void {
    const now = this.deps.now();
    for (const key of [...this.#watched.keys()]) {
      if (this.#inFlight >= IN_FLIGHT) return;
      const watched = this.#watched.peek(key);
      if (watched === undefined || watched.due > now) continue;
      if (!watched.flow.open) {
        this.#watched.delete(key);
        continue;
      }
      watched.due = now + this.options.intervalMs * (1 - JITTER / 2 + JITTER * this.deps.random());
      this.#ask(key, watched);
    }
  }

  /** The record says which bindings the flow has now, and which are gone. */
  #ask(key: string, watched: Watched): void {
    this.#inFlight += 1;
    this.deps.location.read(watched.aor).then(
      ({ bindings }) => {
        this.#inFlight -= 1;
        const now = this.deps.storeClock.now();
        const own = bindings.filter((binding) => binding.expiresAt > now && binding.path[0] === watched.path);
        if (own.length === 0) this.#watched.delete(key);
        for (const binding of own) this.#ping(watched, binding);
      },
      () => {
        this.#inFlight -= 1;
      },
    );
  }

  #ping(watched: Watched, binding: Binding): void {
    const { contact } = binding;
    const { flow } = watched;
    const { front, host, now } = this.deps;
    const branch = newBranch();
    const from = `<sip:ping@${host}>;tag=${branch.slice(-10)}`;
    const message =
      `OPTIONS ${contact} SIP/2.0\r\n${outerVia(flow, branch)}Max-Forwards: 70\r\nFrom: ${from}\r\nTo: <${contact}>\r\n` +
      `Call-ID: ${branch.slice(7)}\r\nCSeq: 1 OPTIONS\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n`;
    const began = now();
    this.#inFlight += 1;
    this.counters.sent += 1;
    let over = false;
    const end = (finding: FlowFinding): void => {
      if (over) return;
      over = true;
      this.#inFlight -= 1;
      this.#learn(watched, binding, finding);
    };
    const user: ClientTransactionUser = {
      // Whatever it answers, it is there.
      onResponse: ({ status }) => {
        if (status >= 200) end({ state: 'reachable', rttMs: Math.max(0, Math.round(now() - began)) });
      },
      onFailure: () => {
        end({ state: 'unreachable' });
      },
    };
    front.request(flow, 'OPTIONS', branch, message, user);
  }

  /** A binding that is new or has moved says nothing yet, whatever was found before. */
  #learn(watched: Watched, { id, reachability }: Binding, finding: FlowFinding): void {
    if (finding.state === 'reachable') {
      this.counters.answered += 1;
      this.onRoundTrip(finding.rttMs / MS_PER_SECOND);
    } else this.counters.lost += 1;
    const key = `${watched.aor} ${id}`;
    const before = this.#found.peek(key);
    this.#found.set(key, finding);
    const told = reachability?.reachable === (finding.state === 'reachable');
    if (!told || before === undefined || isNews(before, finding))
      this.deps.reports.report(watched.aor, { id, path: [watched.path] }, finding);
  }
}

function isNews(before: FlowFinding, now: FlowFinding): boolean {
  if (before.state !== now.state) return true;
  if (before.state !== 'reachable' || now.state !== 'reachable') return false;
  const [less, more] = before.rttMs < now.rttMs ? [before.rttMs, now.rttMs] : [now.rttMs, before.rttMs];
  return more - less > RTT_NEWS_MS && more > less * RTT_NEWS;
}
