import { integer } from './field.ts';

/** Longest rehearsal that may be configured, ms: orchestrators wait about a minute for a start. */
const LONGEST_MS = 30_000;

/** The setting of every service that rehearses; spread into `defineConfig`. */
export const rehearsalSettings = {
  rehearsalMs: {
    env: 'ROLLCALL_REHEARSAL_MS',
    type: integer({ min: 0, max: LONGEST_MS }),
    default: 2_000,
    help: 'How long a service plays requests against itself at most before it is ready, milliseconds, so that the first real ones find compiled code; 0: not at all.',
  },
} as const;

/** A part of a service that stands for itself: sockets on 127.0.0.1 only, no store, no metrics. */
export interface Stage {
  /** Plays one scene to its end, several at a time; resolves with the exchanges that it had. Rejects when one goes wrong. */
  play(lane: number): Promise<number>;
  /** Ends all that was opened; scenes under way may stay without an end. */
  close(): Promise<void>;
}

/** One that is opened after it was made. */
export interface ClosedStage extends Stage {
  open(): Promise<void>;
}

/** Opens a stage; closes it again when that fails. */
export async function opened(stage: ClosedStage): Promise<Stage> {
  try {
    await stage.open();
  } catch (error) {
    await stage.close();
    throw error;
  }
  return stage;
}

export interface Rehearsal {
  /** Where it is played; not asked for when there is no time. */
  readonly open: () => Promise<Stage>;
  /** How long at most, ms. */
  readonly ms: number;
  /** Exchanges after which it is enough. */
  readonly exchanges?: number;
  /** Scenes under way at one time. */
  readonly lanes?: number;
  /** Ends it at once. */
  readonly signal: AbortSignal;
  readonly log: RehearsalLog;
}

export interface RehearsalLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** For what is on the stage: only of a rehearsal as a whole is anything said. */
export const UNHEARD = {
  isDebug: false,
  debug: (): void => undefined,
  info: (): void => undefined,
  warn: (): void => undefined,
  error: (): void => undefined,
} as const;

/** What runs so often has been compiled as far as it ever is (ADR 17). */
const ENOUGH = 30_000;
/** Messages come in batches, as they do under load. */
const LANES = 32;

/**
 * Plays until enough was played or the time is up, closes the stage and logs one line; with the signal it ends without a word. Never
 * rejects: a service starts without a rehearsal that fails.
 */
export async function rehearse(rehearsal: Rehearsal): Promise<void> {
  const { open, ms, signal, log } = rehearsal;
  if (ms === 0 || signal.aborted) return;
  const began = performance.now();
  const bell = new Bell(ms, signal);
  const opening = open();
  const tally = { exchanges: 0 };
  try {
    const stage = await Promise.race([opening, bell.rung]);
    if (stage === undefined) throw new Error('it did not begin in time');
    await Promise.race([playAll(stage, rehearsal, tally, bell), bell.rung]);
    if (rehearsal.signal.aborted) return;
    if (tally.exchanges === 0) throw new Error('no exchange came to its end');
    log.info({ exchanges: tally.exchanges, ms: Math.round(performance.now() - began) }, 'rehearsed');
  } catch (error) {
    if (!rehearsal.signal.aborted)
      log.warn({ err: error, exchanges: tally.exchanges }, 'the rehearsal failed, starting without');
  } finally {
    bell.ring();
    await opening.then((stage) => stage.close()).catch(() => undefined);
  }
}

async function playAll(
  stage: Stage,
  { exchanges = ENOUGH, lanes = LANES }: Rehearsal,
  tally: { exchanges: number },
  bell: Bell,
): Promise<void> {
  const play = async (lane: number): Promise<void> => {
    while (!bell.isOver() && tally.exchanges < exchanges) {
      const played = await stage.play(lane);
      tally.exchanges += played;
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, lane) => play(lane)));
}

/** The rehearsal of a service, beside its start. */
export class ServiceRehearsal {
  readonly #curtain = new AbortController();
  #played: Promise<void> | undefined;
  #over = false;

  constructor(private readonly rehearsal: Omit<Rehearsal, 'signal'>) {}

  /** Until then the service is not ready. */
  get isOver(): boolean {
    return this.#over;
  }

  begin(): void {
    this.#played = rehearse({ ...this.rehearsal, signal: this.#curtain.signal });
  }

  /** Resolves when it is over. Rejects when the service was stopped meanwhile. */
  async end(): Promise<void> {
    await this.#played;
    this.#over = true;
    if (this.#curtain.signal.aborted) throw new Error('stopped while starting');
  }

  /** Resolves when all of it is closed. */
  async stop(): Promise<void> {
    this.#curtain.abort();
    await this.#played;
  }
}

/** Rings once: when the time is up, or earlier. */
class Bell {
  #over = false;
  readonly rung: Promise<undefined>;
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal;
  #resolve: (nothing: undefined) => void = () => undefined;

  constructor(ms: number, signal: AbortSignal) {
    this.rung = new Promise((resolve) => (this.#resolve = resolve));
    this.#timer = setTimeout(this.ring, ms);
    this.#signal = signal;
    signal.addEventListener('abort', this.ring);
  }

  isOver(): boolean {
    return this.#over;
  }

  readonly ring = (): void => {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.ring);
    this.#resolve(undefined);
  };
}
