import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../../src/index.ts';

const PATIENCE_MS = 20_000;
const POLL_MS = 20;

/** A store that answers. Connecting gives up waiting after a while, and a crowded machine can be slower than that. */
export async function untilReady(store: Store): Promise<Store> {
  const until = performance.now() + PATIENCE_MS;
  while (!store.ready()) {
    if (performance.now() > until) throw new Error('the store has not connected in time');
    await sleep(POLL_MS);
  }
  return store;
}
