import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { freePort, inspect, RedisProcess } from './redis-process.ts';

const SLOTS = 16_384;
const PATIENCE_MS = 30_000;
const POLL_MS = 50;

/** A Redis Cluster of real processes: primaries, and where wanted a replica for each. */
export class RedisClusterProcesses {
  private constructor(
    readonly nodes: readonly RedisProcess[],
    readonly replicas: readonly RedisProcess[] = [],
  ) {}

  /** `count` primaries with a replica each. */
  static async startWithReplicas(count = 3): Promise<RedisClusterProcesses> {
    const { nodes } = await RedisClusterProcesses.start(count);
    const bus = await Promise.all(nodes.map(freePort));
    const replicas = await Promise.all(
      bus.map((port) => RedisProcess.start(['--cluster-enabled', 'yes', '--cluster-port', String(port)])),
    );
    const links = [...nodes, ...replicas].map((node) => inspect(node));
    try {
      for (const [i, replica] of replicas.entries()) {
        await links[0]?.call('CLUSTER', 'MEET', '127.0.0.1', String(replica.port), String(bus[i]));
      }
      await untilWhole(links, links.length);
      for (const [i, node] of nodes.entries()) {
        const id = String(await links[i]?.call('CLUSTER', 'MYID'));
        const link = links[nodes.length + i];
        await link?.call('CLUSTER', 'REPLICATE', id);
        await until(`the replica of ${String(node.port)}`, async () =>
          String(await link?.info('replication')).includes('master_link_status:up'),
        );
      }
    } finally {
      for (const link of links) link.disconnect();
    }
    return new RedisClusterProcesses(nodes, replicas);
  }

  static async start(count = 3): Promise<RedisClusterProcesses> {
    const buses = await Promise.all(Array.from({ length: count }, freePort));
    const nodes = await Promise.all(
      buses.map((bus) => RedisProcess.start(['--cluster-enabled', 'yes', '--cluster-port', String(bus)])),
    );
    const links = nodes.map((node) => inspect(node));
    try {
      await form(links, nodes, buses);
    } finally {
      for (const link of links) link.disconnect();
    }
    return new RedisClusterProcesses(nodes);
  }

  get endpoints(): { host: string; port: number }[] {
    return this.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.nodes, ...this.replicas].map((node) => node.stop()));
  }
}

async function form(
  links: readonly Redis[],
  nodes: readonly RedisProcess[],
  buses: readonly number[],
): Promise<void> {
  const share = Math.ceil(SLOTS / links.length);
  for (const [i, link] of links.entries()) {
    await link.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
    await link.call(
      'CLUSTER',
      'ADDSLOTSRANGE',
      String(i * share),
      String(Math.min(SLOTS, (i + 1) * share) - 1),
    );
  }
  for (const [i, node] of nodes.entries()) {
    await links[0]?.call('CLUSTER', 'MEET', '127.0.0.1', String(node.port), String(buses[i]));
  }
  await untilWhole(links, nodes.length);
}

async function untilWhole(links: readonly Redis[], count: number): Promise<void> {
  for (const link of links) await until('the cluster coming together', () => isWhole(link, count));
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await sleep(POLL_MS);
  }
}

/** All slots are served, and each node is linked to each: what is published goes over these links, and is lost where there is none yet. */
async function isWhole(link: Redis, count: number): Promise<boolean> {
  const info = String(await link.call('CLUSTER', 'INFO'));
  const nodes = String(await link.call('CLUSTER', 'NODES'))
    .trim()
    .split('\n');
  const linked = nodes.filter((node) => {
    const [, , flags = '', , , , , state] = node.split(' ');
    return state === 'connected' && !/handshake|fail|noaddr/.test(flags);
  });
  return info.includes('cluster_state:ok') && nodes.length === count && linked.length === count;
}
