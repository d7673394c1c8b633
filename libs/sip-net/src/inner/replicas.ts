import { lookup } from 'node:dns/promises';

/** An inner address of a service. */
export interface Replica {
  readonly host: string;
  readonly port: number;
}

/** Where the replicas of a service are. */
export interface ReplicaSource {
  /** The replicas now known; cheap. */
  current(): readonly Replica[];
  /** Starts to keep the list fresh; resolves when it has been read once. Never rejects. */
  start(): Promise<void>;
  stop(): void;
}

/** A list that does not change. */
export function staticReplicas(replicas: readonly Replica[]): ReplicaSource {
  return { current: () => replicas, start: () => Promise.resolve(), stop: () => undefined };
}

/** How often a name is resolved again, ms: a headless Service's records change within seconds. */
const RESOLVE_EVERY_MS = 5_000;

export type ResolveAddresses = (name: string) => Promise<readonly string[]>;

const resolveBySystem: ResolveAddresses = async (name) =>
  (await lookup(name, { all: true })).map(({ address }) => address);

/** All addresses of a DNS name, resolved again every few seconds. When that fails the last list stays. */
export function dnsReplicas(
  name: string,
  port: number,
  resolve: ResolveAddresses = resolveBySystem,
  everyMs = RESOLVE_EVERY_MS,
): ReplicaSource {
  let replicas: readonly Replica[] = [];
  let interval: NodeJS.Timeout | undefined;
  const refresh = async (): Promise<void> => {
    try {
      const addresses = await resolve(name);
      replicas = [...new Set(addresses)].sort().map((host) => ({ host, port }));
    } catch {
      // The resolver may be away for a while; the replicas that we know are not.
    }
  };
  return {
    current: () => replicas,
    start: async () => {
      interval ??= setInterval(() => void refresh(), everyMs);
      await refresh();
    },
    stop: () => {
      clearInterval(interval);
    },
  };
}
