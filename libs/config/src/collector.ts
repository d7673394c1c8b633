import { setFlagsFromString } from 'node:v8';

/**
 * Lets one thread copy what survives in the young generation. What is in flight is little, so that helpers cost more in waking and waiting
 * for each other than they copy, and the processors are the services' own. Collections of the old generation stay beside the work.
 */
export function tuneCollector(): void {
  setFlagsFromString('--no-parallel-scavenge');
}
