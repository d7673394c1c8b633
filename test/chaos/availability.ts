/** How often somebody looks. */
const LOOK_MS = 50;

/** The longest time in which no phone at all was served. */
export interface Gap {
  readonly during: string;
  readonly ms: number;
  /** Served a second while it went on. */
  readonly perSecond: number;
}

/** Watches a number that rises with each acknowledged request, and notes for how long at most it stood still under each fault. */
export class Availability {
  readonly #longest = new Map<string, number>();
  /** How long each thing went on, and how much was served meanwhile. */
  readonly #spans = new Map<string, { ms: number; served: number }>();
  readonly #timer: NodeJS.Timeout;
  #during = 'nothing';
  /** What went on when the number began to stand still: the pause is put down to that. */
  #since: { readonly at: number; readonly during: string };
  #last: number;
  #entered: { readonly at: number; readonly served: number };

  constructor(
    private readonly served: () => number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#since = { at: now(), during: this.#during };
    this.#last = served();
    this.#entered = { at: now(), served: this.#last };
    this.#timer = setInterval(() => {
      this.look();
    }, LOOK_MS);
  }

  /** From now on this is what happens. */
  enter(during: string): void {
    this.look();
    this.#leave();
    this.#during = during;
    if (!this.#longest.has(during)) this.#longest.set(during, 0);
  }

  look(): void {
    const at = this.now();
    const served = this.served();
    if (served !== this.#last) {
      this.#last = served;
      this.#since = { at, during: this.#during };
      return;
    }
    const { during, at: began } = this.#since;
    this.#longest.set(during, Math.max(this.#longest.get(during) ?? 0, at - began));
  }

  /** The longest pause of each fault in order of the first time it happened. */
  get gaps(): readonly Gap[] {
    return [...this.#longest].map(([during, ms]) => {
      const span = this.#spans.get(during);
      const perSecond = span === undefined || span.ms === 0 ? 0 : (1000 * span.served) / span.ms;
      return { during, ms: Math.round(ms), perSecond };
    });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#leave();
  }

  #leave(): void {
    const [at, served] = [this.now(), this.served()];
    const span = this.#spans.get(this.#during) ?? { ms: 0, served: 0 };
    span.ms += at - this.#entered.at;
    span.served += served - this.#entered.served;
    this.#spans.set(this.#during, span);
    this.#entered = { at, served };
  }
}
