import { setTimeout as sleep } from 'node:timers/promises';
import type { InnerLink } from '@rollcall/sip-net';

/** So often it is looked whether the others are there, ms. */
const LOOK_MS = 50;

/**
 * Services that were started along with the edge rehearse too: phones are let in when all of them are connected, or after `ms`
 * whatever is. Rejects when the edge is stopped meanwhile.
 */
export async function othersReady(
  links: readonly Pick<InnerLink, 'ready'>[],
  ms: number,
  isStopped: () => boolean,
): Promise<void> {
  const until = performance.now() + ms;
  while (!links.every((link) => link.ready()) && performance.now() < until) {
    await sleep(LOOK_MS);
    if (isStopped()) throw new Error('stopped while starting');
  }
}
