import type { EdgeStatus } from '@rollcall/trace';
import type { LiveEdges } from './live-edges.ts';
import type { Moment } from './schemas.ts';

/** How often the edges are asked, ms, and how many answers are kept: a quarter of an hour. */
const PERIOD_MS = 5_000;
const MOMENTS = 180;
const MS_PER_S = 1_000;

const CALLS: ReadonlySet<string> = new Set([
  'INVITE',
  'ACK',
  'BYE',
  'CANCEL',
  'PRACK',
  'UPDATE',
  'REFER',
  'INFO',
]);

/** Rates of the whole installation over the last minutes, so that a page that opens has something to show. */
export class History {
  readonly #moments: Moment[] = [];
  readonly #before = new Map<string, EdgeStatus>();
  #beforeAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #reading = false;

  constructor(private readonly edges: LiveEdges) {}

  get moments(): readonly Moment[] {
    return this.#moments;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      void this.read();
    }, PERIOD_MS).unref();
    void this.read();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Asks the edges; an edge that does not answer adds nothing, and nothing is made up for it. */
  async read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      const answers = await this.edges.statuses();
      this.take(
        answers.flatMap((answer) => (answer.ok ? [answer.value] : [])),
        Date.now(),
      );
    } catch {
      // The store is away: there is no list of edges now.
    } finally {
      this.#reading = false;
    }
  }

  take(statuses: readonly EdgeStatus[], at: number): void {
    const seconds = (at - this.#beforeAt) / MS_PER_S;
    const first = this.#beforeAt === 0;
    const moment: Moment = { ...NOTHING, at };
    for (const status of statuses) this.#add(moment, status, seconds);
    this.#before.clear();
    for (const status of statuses) this.#before.set(status.id, status);
    this.#beforeAt = at;
    if (first) return;
    this.#moments.push(moment);
    if (this.#moments.length > MOMENTS) this.#moments.shift();
  }

  #add(moment: Moment, status: EdgeStatus, seconds: number): void {
    moment.flows += Object.values(status.flows).reduce((sum, count) => sum + count, 0);
    const before = this.#before.get(status.id);
    // An edge that has started anew counts from zero.
    if (before?.epoch !== status.epoch) return;
    const rate = (now: number, then: number | undefined): number => Math.max(0, now - (then ?? 0)) / seconds;
    for (const [method, count] of Object.entries(status.requests)) {
      moment[kindOf(method)] += rate(count, before.requests[method]);
    }
    moment.notify += rate(status.delivered, before.delivered);
    for (const [code, count] of Object.entries(status.answers)) {
      const kind = answerKind(Number(code));
      if (kind !== undefined) moment[kind] += rate(count, before.answers[code]);
    }
    moment.cpu += rate(status.cpu, before.cpu);
  }
}

const NOTHING: Moment = {
  at: 0,
  register: 0,
  subscribe: 0,
  publish: 0,
  notify: 0,
  call: 0,
  other: 0,
  ok: 0,
  challenged: 0,
  refused: 0,
  failed: 0,
  flows: 0,
  cpu: 0,
};

function kindOf(method: string): 'register' | 'subscribe' | 'publish' | 'call' | 'other' {
  if (method === 'REGISTER') return 'register';
  if (method === 'SUBSCRIBE') return 'subscribe';
  if (method === 'PUBLISH') return 'publish';
  return CALLS.has(method) ? 'call' : 'other';
}

function answerKind(status: number): 'ok' | 'challenged' | 'refused' | 'failed' | undefined {
  if (status < 200) return undefined;
  if (status < 300) return 'ok';
  if (status === 401 || status === 407) return 'challenged';
  return status >= 500 && status < 600 ? 'failed' : 'refused';
}
