import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { freePort, RedisProcess } from './redis-process.ts';

const SLOTS = 16_384;
const PATIENCE_MS = 30_000;
const POLL_MS = 50;

/** A Redis Cluster of real processes, all primaries. */
export class RedisClusterProcesses {
  private constructor(readonly nodes: readonly RedisProcess[]) {}

  static async start(count = 3): Promise<RedisClusterProcesses> {
    const buses = await Promise.all(Array.from({ length: count }, freePort));
    const nodes = await Promise.all(
      buses.map((bus) => RedisProcess.start(['--cluster-enabled', 'yes', '--cluster-port', String(bus)])),
    );
    const links = nodes.map((node) => node.inspect());
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
    await Promise.all(this.nodes.map((node) => node.stop()));
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
  const end = Date.now() + PATIENCE_MS;
  for (const link of links) {
    while (!(await isWhole(link, nodes.length))) {
      if (Date.now() > end) throw new Error('the cluster did not come together');
      await sleep(POLL_MS);
    }
  }
}

async function isWhole(link: Redis, count: number): Promise<boolean> {
  const info = String(await link.call('CLUSTER', 'INFO'));
  return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${String(count)}`);
}
