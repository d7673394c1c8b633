import { Cluster } from 'ioredis';
import type { Redis } from 'ioredis';

/** How long a server may take from the TCP connection to being ready; then another attempt is made. */
export const HANDSHAKE_MS = 2000;

/** The connected primary that holds a slot. */
export function nodeOf(cluster: Cluster, slot: number): Redis | undefined {
  const key = cluster.slots[slot]?.[0];
  return cluster
    .nodes('master')
    .find(
      ({ status, options }) =>
        status === 'ready' && `${String(options.host)}:${String(options.port)}` === key,
    );
}

/** Resolves when each primary of a Cluster is connected, or has had its time; at once for anything else. */
export async function linked(redis: Redis | Cluster): Promise<void> {
  if (!(redis instanceof Cluster)) return;
  const waiting = redis.nodes('master').filter((node) => node.status !== 'ready');
  await Promise.race([
    Promise.all(waiting.map((node) => new Promise((resolve) => node.once('ready', resolve)))),
    new Promise((resolve) => setTimeout(resolve, HANDSHAKE_MS).unref()),
  ]);
}

/** A server that takes the connection and then says nothing (stopped, or its host is gone) must not hold us for ever. */
export function guardHandshake(redis: Redis): void {
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    clearTimeout(timer);
  };
  redis.on('connect', () => {
    stop();
    timer = setTimeout(() => redis.stream.destroy(), HANDSHAKE_MS);
  });
  redis.on('ready', stop);
  redis.on('close', stop);
}
