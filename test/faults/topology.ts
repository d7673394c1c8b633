import { join } from 'node:path';
import { eventually, redisForTests } from '@rollcall/testkit';
import { Node, startSentinel as startSentinelProcess } from './redis-node.ts';
import { redisCall } from './redis-wire.ts';

export const TOPOLOGIES = ['single', 'sentinel', 'cluster'] as const;
export type TopologyKind = (typeof TOPOLOGIES)[number];

/** Where the store is, as `connectStore` and the services' environment take it. */
export interface StorePlace {
  readonly address:
    | { readonly url: string }
    | { readonly sentinel: { readonly sentinels: readonly Endpoint[]; readonly name: string } }
    | { readonly cluster: { readonly nodes: readonly Endpoint[] } };
  readonly env: Readonly<Record<string, string>>;
}

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Redis as one deployment runs it, with what can be done to it. */
export interface Topology {
  readonly place: StorePlace;
  /** kill -9 of a primary that holds data; with a replica it is taken over from, without one it is started again. */
  killPrimary(): Promise<void>;
  /** Waits until every primary has its replica again, the killed one as a replica of its successor. */
  heal(): Promise<void>;
  /** SIGSTOP and SIGCONT of the replicas: primaries go on without them. */
  cutReplicas(): Promise<void>;
  mendReplicas(): void;
  /** SIGSTOP and SIGCONT of all that serve. */
  pause(): void;
  resume(): void;
  flush(): Promise<void>;
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const PATIENCE_MS = 60_000;
const NAME = 'main';
const CLUSTER_NODE_TIMEOUT_MS = 1000;
const CLUSTER_PRIMARIES = 3;
const SLOTS = 16_384;

export interface TopologyOptions {
  /** A block of sixteen ports. */
  readonly portBase: number;
  readonly folder: string;
  /** What else redis-server is given: `--appendonly yes`. */
  readonly settings?: readonly string[];
}

export function startTopology(kind: TopologyKind, options: TopologyOptions): Promise<Topology> {
  switch (kind) {
    case 'single':
      return startSingle(options);
    case 'sentinel':
      return startSentinel(options);
    case 'cluster':
      return startCluster(options);
  }
}

/** A wait for Redis that fails says what each server has to say about its replication. */
async function explained(nodes: readonly Node[], work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    const said = await Promise.all(
      nodes.map(async (node) => `port ${node.port}:\n${await node.info('replication')}`),
    );
    throw new Error(said.join('\n'), { cause: error });
  }
}

/** Stops the replicas, and closes the connection to them: what was on its way is all that they will ever read. */
async function cut(primary: Node, replicas: readonly Node[]): Promise<void> {
  for (const replica of replicas) replica.process?.kill('SIGSTOP');
  await primary.call('CLIENT', 'KILL', 'TYPE', 'replica').catch(() => 0);
}

const APPENDING = ['--appendonly', 'yes', '--appendfsync', 'everysec'];

function nodeMaker({ portBase, folder, settings = APPENDING }: TopologyOptions) {
  const server = redisForTests();
  return (offset: number, more: readonly string[] = []): Node =>
    new Node(server, portBase + offset, join(folder, String(offset)), [...settings, ...more]);
}

async function startSingle(options: TopologyOptions): Promise<Topology> {
  const node = nodeMaker(options)(0);
  await node.start();
  return {
    place: {
      address: { url: `redis://${HOST}:${node.port}` },
      env: { ROLLCALL_REDIS_URL: `redis://${HOST}:${node.port}` },
    },
    async killPrimary() {
      await node.kill();
      await node.start();
    },
    heal: () => Promise.resolve(),
    cutReplicas: () => Promise.resolve(),
    mendReplicas: () => undefined,
    pause: () => node.process?.kill('SIGSTOP'),
    resume: () => node.process?.kill('SIGCONT'),
    flush: async () => {
      await node.call('FLUSHALL');
    },
    stop: () => node.stop(),
  };
}

async function startSentinel(options: TopologyOptions): Promise<Topology> {
  const make = nodeMaker(options);
  const nodes = [make(0), make(1)] as const;
  await nodes[0].start();
  await nodes[1].start(['--replicaof', HOST, String(nodes[0].port)]);
  const sentinel = await startSentinelProcess({
    ...{ port: options.portBase + 2, folder: join(options.folder, '2') },
    ...{ name: NAME, primaryPort: nodes[0].port },
  });
  // On a busy machine a Sentinel may fail over by itself: who the primary is has to be asked each time.
  const roles = async (): Promise<readonly [primary: Node, replica: Node]> => {
    const address = await redisCall(sentinel.port, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME).catch(
      () => '',
    );
    const second = JSON.stringify(address).includes(`"${nodes[1].port}"`);
    return second ? [nodes[1], nodes[0]] : [nodes[0], nodes[1]];
  };
  const settled = async (): Promise<boolean> => {
    const list = await redisCall(sentinel.port, 'SENTINEL', 'REPLICAS', NAME).catch(() => []);
    const known =
      Array.isArray(list) && list.length === 1 && !/s_down|disconnected/.test(JSON.stringify(list));
    return known && (await (await roles())[0].hasReplica());
  };
  const heal = (): Promise<void> =>
    explained(nodes, eventually('Sentinel seeing a primary and a replica in step', settled, PATIENCE_MS));
  await heal();
  const each = (signal: NodeJS.Signals) => () => nodes.forEach((node) => node.process?.kill(signal));
  return {
    place: {
      address: { sentinel: { sentinels: [{ host: HOST, port: sentinel.port }], name: NAME } },
      env: { ROLLCALL_REDIS_SENTINELS: `${NAME}@${HOST}:${sentinel.port}` },
    },
    async killPrimary() {
      const [killed, successor] = await roles();
      await killed.kill();
      const promoted = async (): Promise<boolean> =>
        (await roles())[0] === successor && (await successor.info('replication')).includes('role:master');
      await eventually('the replica taking over', promoted, PATIENCE_MS);
      // It must not come back as a primary with what it had on disk: it begins as a replica.
      await killed.start(['--replicaof', HOST, String(successor.port)]);
    },
    heal,
    cutReplicas: async () => {
      const [primary, replica] = await roles();
      await cut(primary, [replica]);
    },
    mendReplicas: each('SIGCONT'),
    pause: each('SIGSTOP'),
    resume: each('SIGCONT'),
    flush: async () => {
      await (await roles())[0].call('FLUSHALL');
    },
    stop: async () => {
      await Promise.all([sentinel.stop(), ...nodes.map((node) => node.stop())]);
    },
  };
}

async function startCluster(options: TopologyOptions): Promise<Topology> {
  const make = nodeMaker(options);
  const count = 2 * CLUSTER_PRIMARIES;
  const nodes = Array.from({ length: count }, (_, n) =>
    make(n, [
      ...['--cluster-enabled', 'yes', '--cluster-port', String(options.portBase + 8 + n)],
      ...['--cluster-node-timeout', String(CLUSTER_NODE_TIMEOUT_MS)],
      // A replica that was cut off for a while may take over all the same: kills follow each other quickly here.
      ...['--cluster-replica-validity-factor', '0'],
    ]),
  );
  await Promise.all(nodes.map((node) => node.start()));
  await formCluster(nodes, options.portBase + 8);
  const primaries = async (): Promise<Node[]> => {
    const roles = await Promise.all(nodes.map((node) => node.info('replication')));
    return nodes.filter((_, i) => roles[i]?.includes('role:master'));
  };
  let turn = 0;
  let killed: Node | undefined;
  const heal = async (): Promise<void> => {
    await eventually(
      'every primary with its replica',
      async () => {
        const now = await primaries();
        const whole = now.length === CLUSTER_PRIMARIES && (await allOf(now, (node) => node.hasReplica()));
        return whole && (await allOf(nodes, isWhole(count)));
      },
      PATIENCE_MS,
    );
  };
  await heal();
  const places = nodes.map(({ port }) => ({ host: HOST, port }));
  return {
    place: {
      address: { cluster: { nodes: places } },
      env: { ROLLCALL_REDIS_CLUSTER: places.map(({ host, port }) => `${host}:${port}`).join(',') },
    },
    async killPrimary() {
      const now = await primaries();
      killed = now[turn++ % now.length];
      const others = nodes.filter((node) => node !== killed);
      await killed?.kill();
      await eventually(
        'a replica taking over',
        async () => (await allOf(others, isWhole(count))) && (await primaries()).length === CLUSTER_PRIMARIES,
        PATIENCE_MS,
      );
      await killed?.start();
    },
    heal,
    cutReplicas: async () => {
      const now = await primaries();
      const replicas = nodes.filter((node) => !now.includes(node));
      await Promise.all(now.map((node) => cut(node, replicas)));
    },
    mendReplicas: () => nodes.forEach((node) => node.process?.kill('SIGCONT')),
    pause: () => nodes.forEach((node) => node.process?.kill('SIGSTOP')),
    resume: () => nodes.forEach((node) => node.process?.kill('SIGCONT')),
    flush: async () => {
      await Promise.all((await primaries()).map((node) => node.call('FLUSHALL')));
    },
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

const allOf = async <T>(items: readonly T[], check: (item: T) => Promise<boolean>): Promise<boolean> =>
  (await Promise.all(items.map(check))).every(Boolean);

const isWhole =
  (count: number) =>
  async (node: Node): Promise<boolean> => {
    const info = String(await node.call('CLUSTER', 'INFO').catch(() => ''));
    return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${count}`);
  };

async function formCluster(nodes: readonly Node[], firstBus: number): Promise<void> {
  const primaries = nodes.slice(0, CLUSTER_PRIMARIES);
  const share = Math.ceil(SLOTS / primaries.length);
  for (const [i, node] of nodes.entries()) await node.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
  for (const [i, node] of primaries.entries()) {
    const end = Math.min(SLOTS, (i + 1) * share) - 1;
    await node.call('CLUSTER', 'ADDSLOTSRANGE', String(i * share), String(end));
  }
  for (const [i, node] of nodes.entries()) {
    await nodes[0]?.call('CLUSTER', 'MEET', HOST, String(node.port), String(firstBus + i));
  }
  const met = async (node: Node): Promise<boolean> =>
    String(await node.call('CLUSTER', 'INFO')).includes(`cluster_known_nodes:${nodes.length}`);
  await eventually('all nodes meeting', () => allOf(nodes, met), PATIENCE_MS);
  for (const [i, node] of nodes.slice(CLUSTER_PRIMARIES).entries()) {
    const id = String(await primaries[i]?.call('CLUSTER', 'MYID'));
    await eventually(
      'a replica knowing its primary',
      () =>
        node.call('CLUSTER', 'REPLICATE', id).then(
          () => true,
          () => false,
        ),
      PATIENCE_MS,
    );
  }
}
