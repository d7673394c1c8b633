import type { PresenceLog, EventStore } from './ports.ts';
import type { Notifier } from './notifier.ts';
import type { ShardWorker } from './shard-worker.ts';

/** Each shard is looked at this often without a bell: the net under lost bells, and the grain of expiry. */
export const POLL_MS = 1_000;
/** The shards are looked at in so many groups, one after the other. */
const GROUPS = 4;
/** How long the store may not know that a NOTIFY has arrived: far shorter than a claim. */
const SETTLE_MS = 150;

/** Rings the worker: at the bell at once, and at every shard once a second. Idle, that is one small script a shard. */
export class Poller {
  #timer: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;
  #stopBell: (() => void) | undefined;
  #turn = 0;

  constructor(
    private readonly store: EventStore,
    private readonly worker: ShardWorker,
    private readonly notifier: Notifier,
    private readonly storeReady: () => boolean,
    private readonly log: PresenceLog,
  ) {}

  start(): void {
    this.#stopBell = this.store.onBell((shard) => void this.worker.drain(shard, true));
    this.#timer = setInterval(() => {
      this.#tick();
    }, POLL_MS / GROUPS);
    this.#settling = setInterval(() => void this.notifier.settleLate(), SETTLE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    clearInterval(this.#settling);
    this.#stopBell?.();
    this.worker.stop();
  }

  #tick(): void {
    if (!this.storeReady()) return;
    void this.worker.flush();
    this.#turn = (this.#turn + 1) % GROUPS;
    for (let shard = this.#turn; shard < this.store.shards; shard += GROUPS) void this.worker.drain(shard);
    if (this.#turn === 0) {
      this.notifier.prolong().catch((error: unknown) => {
        this.log.warn({ err: error }, 'claims could not be prolonged');
      });
    }
  }
}
