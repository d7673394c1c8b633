import type { TimerHandle, Timers } from '@rollcall/kernel';
import type { Domain, Domains } from './directory.ts';

/** The part of `Domains` that a feed reads. */
export type DomainSource = Pick<Domains, 'list' | 'onChange'>;

const RETRY_MS = 1_000;

/** Hands on the list of domains: once at the start and again whenever one changes; while it cannot be read, each second anew. */
export class DomainFeed {
  #ready = false;
  #stopped = false;
  #reading = false;
  /** Counts what asked for a reading; one that ends behind it is followed by another. */
  #asked = 0;
  #unsubscribe: (() => void) | undefined;
  #retry: TimerHandle | undefined;

  constructor(
    private readonly source: DomainSource,
    private readonly timers: Timers,
    private readonly take: (domains: readonly Domain[]) => void,
    /** Told why a list could not be read or taken. */
    private readonly failed: (error: unknown) => void,
  ) {}

  /** False until the list has been taken once. */
  get ready(): boolean {
    return this.#ready;
  }

  start(): void {
    this.#unsubscribe = this.source.onChange(() => {
      void this.#read();
    });
    void this.#read();
  }

  stop(): void {
    this.#stopped = true;
    this.#unsubscribe?.();
    this.#clearRetry();
  }

  /** Reads the list, one reading at a time; a change meanwhile is followed by another. */
  async #read(): Promise<void> {
    this.#asked += 1;
    if (this.#reading) return;
    this.#reading = true;
    for (let read = 0; read !== this.#asked && !this.#stopped;) {
      read = this.#asked;
      await this.#readOnce();
    }
    this.#reading = false;
  }

  async #readOnce(): Promise<void> {
    this.#clearRetry();
    try {
      const domains = await this.source.list();
      if (this.#stopped) return;
      this.take(domains);
      this.#ready = true;
    } catch (error) {
      if (this.#stopped) return;
      this.failed(error);
      this.#retry = this.timers.start(RETRY_MS, () => void this.#read());
    }
  }

  #clearRetry(): void {
    if (this.#retry !== undefined) this.timers.stop(this.#retry);
    this.#retry = undefined;
  }
}
