import { lookup } from 'node:dns/promises';
import { err, ok, type Result } from '@rollcall/kernel';

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

/**
 * Reads `host:port,host:port` or `dns:name:port`; an IPv6 address stands in brackets. The error is a sentence for
 * people.
 */
export function replicasFrom(text: string): Result<ReplicaSource, string> {
  if (text.startsWith('dns:')) {
    const replica = readReplica(text.slice('dns:'.length));
    return replica === undefined
      ? err(`"${text}" is not dns:name:port`)
      : ok(dnsReplicas(replica.host, replica.port));
  }
  const replicas: Replica[] = [];
  for (const part of text.split(',').map((item) => item.trim())) {
    if (part === '') continue;
    const replica = readReplica(part);
    if (replica === undefined) return err(`"${part}" is not host:port`);
    replicas.push(replica);
  }
  return ok(staticReplicas(replicas));
}

function readReplica(text: string): Replica | undefined {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:\s]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port < 1 || port > 65_535) return undefined;
  return { host: match[1].replace(/^\[|\]$/g, ''), port };
}
