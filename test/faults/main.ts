import { setTimeout as sleep } from 'node:timers/promises';
import type { Durability } from '@rollcall/store-redis';
import { FaultSystem } from './fault-system.ts';
import { addFindings, noFindings, type Findings } from './ledger.ts';
import { TOPOLOGIES, type TopologyKind } from './topology.ts';
import { commandLine } from '../setup/command-line.ts';

const USAGE = `npm run faults -- [options]
  --kills N          kills of each case (default 20)
  --cases LIST       topology/durability, or topology/durability/registrar to kill registrars instead of Redis,
                     topology/durability/cut to cut the replicas off for a second before the primary is killed
                     (default: sentinel and cluster with each durability, and single/everysec, each with Redis and with
                     registrars killed; some with cut)
  --devices N        phones that register meanwhile (default 100)
  --load N           acknowledged REGISTERs before each kill (default 1000)
  --port-base N      first of 60 ports (default: a free block)
  --verbose          print what was lost, and what the registrars have logged of it
`;

const DEPLOYMENTS = [
  'single/everysec',
  ...['sentinel', 'cluster'].flatMap((topology) =>
    ['none', 'everysec', 'replica'].map((durability) => `${topology}/${durability}`),
  ),
];
const DEFAULT_CASES = [
  ...DEPLOYMENTS.flatMap((deployment) => [deployment, `${deployment}/registrar`]),
  ...['sentinel/none/cut', 'sentinel/replica/cut', 'cluster/none/cut', 'cluster/replica/cut'],
].join(',');

const CUT_MS = 1000;
const MEND_AFTER_MS = 100;
const LOG_LINES = 40;

interface Row extends Findings {
  readonly name: string;
  readonly kills: number;
  readonly acknowledged: number;
  readonly refused: number;
  readonly unanswered: number;
  /** Ms from each kill to the next acknowledgement. */
  readonly outages: readonly number[];
}

const DEBUG = { ROLLCALL_LOG_LEVEL: 'debug' };

async function runCase(name: string, options: RunOptions): Promise<Row> {
  const [topology = '', durability = '', victim = 'redis'] = name.split('/');
  if (!(TOPOLOGIES as readonly string[]).includes(topology))
    throw new RangeError(`no topology "${topology}"`);
  const system = await FaultSystem.start({
    topology: topology as TopologyKind,
    durability: durability as Durability,
    ...{ devices: options.devices, thinkMs: 50 },
    ...(options.portBase === undefined ? {} : { portBase: options.portBase }),
    ...(options.verbose ? { env: { 'registrar-1': DEBUG, 'registrar-2': DEBUG } } : {}),
  });
  const sum = noFindings();
  const outages: number[] = [];
  try {
    for (let kill = 0; kill < options.kills; kill += 1) {
      await system.devices.acknowledge(options.load);
      if (victim === 'cut') await cut(system);
      outages.push(victim === 'registrar' ? await killRegistrar(system, kill) : await killRedis(system));
      const found = await system.check();
      addFindings(sum, found);
      if (options.verbose) explain(system, found);
      // What is lost is lost: it is not counted again after the next kill.
      if (found.lost > 0) system.ledger.forget();
      process.stderr.write(`${name} ${kill + 1}/${options.kills}: lost ${sum.lost}\n`);
    }
    const { acknowledged, refused, unanswered } = system.ledger;
    return { name, kills: options.kills, ...sum, acknowledged, refused, unanswered, outages };
  } finally {
    await system.stop();
  }
}

/** For a second the primary has no replica: what is acknowledged now is on it alone. */
async function cut(system: FaultSystem): Promise<void> {
  await system.topology.cutReplicas();
  await sleep(CUT_MS);
}

function killRedis(system: FaultSystem): Promise<number> {
  return system.strike(async () => {
    const killing = system.topology.killPrimary();
    await sleep(MEND_AFTER_MS);
    system.topology.mendReplicas();
    await killing;
    await system.topology.heal();
  });
}

async function killRegistrar(system: FaultSystem, kill: number): Promise<number> {
  const name = `registrar-${(kill % 2) + 1}`;
  const outage = await system.strike(() => system.killService(name));
  await system.revive(name);
  return outage;
}

interface RunOptions {
  readonly kills: number;
  readonly devices: number;
  readonly load: number;
  readonly portBase: number | undefined;
  readonly verbose: boolean;
}

/** What the registrars have logged of the phones that something is wrong with. */
function explain(system: FaultSystem, { examples }: Findings): void {
  for (const example of examples) {
    process.stderr.write(`${example}\n`);
    const aor = example.slice(0, example.indexOf(' '));
    for (const name of ['registrar-1', 'registrar-2']) {
      const lines = system
        .log(name)
        .split('\n')
        .filter((line) => line.includes(aor));
      process.stderr.write(`${name}\n${lines.slice(-LOG_LINES).join('\n')}\n`);
    }
  }
}

function print(rows: readonly Row[]): void {
  const lines = [
    '| case | kills | acknowledged | refused | unanswered | lost | duplicated | wrong expiry | until served again, median / longest |',
    '|---|---|---|---|---|---|---|---|---|',
  ];
  for (const row of rows) {
    const sorted = [...row.outages].sort((a, b) => a - b);
    const seconds = (ms = 0): string => `${(ms / 1000).toFixed(1)} s`;
    const outage = `${seconds(sorted[sorted.length >> 1])} / ${seconds(sorted.at(-1))}`;
    const { name, kills, acknowledged, refused, unanswered, lost, duplicated, wrongExpiry } = row;
    lines.push(
      `| ${[name, kills, acknowledged, refused, unanswered, lost, duplicated, wrongExpiry, outage].join(' | ')} |`,
    );
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function main(): Promise<void> {
  const { values } = commandLine(USAGE, {
    options: {
      kills: { type: 'string', default: '20' },
      cases: { type: 'string', default: DEFAULT_CASES },
      devices: { type: 'string', default: '100' },
      load: { type: 'string', default: '1000' },
      'port-base': { type: 'string' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const options: RunOptions = {
    kills: Number(values.kills),
    devices: Number(values.devices),
    load: Number(values.load),
    verbose: values.verbose,
    portBase: values['port-base'] === undefined ? undefined : Number(values['port-base']),
  };
  const rows: Row[] = [];
  for (const name of values.cases.split(',')) {
    const row = await runCase(name, options);
    rows.push(row);
    print([row]);
    if (values.verbose) process.stderr.write(`${row.examples.slice(0, 20).join('\n')}\n`);
  }
  if (rows.length > 1) print(rows);
  process.exitCode = rows.some(isBroken) ? 1 : 0;
}

/** What no durability allows; and any loss where a replica had to confirm. */
function isBroken({ name, lost, duplicated, wrongExpiry, alien }: Row): boolean {
  const mayLose = !name.includes('/replica') && !name.endsWith('/registrar');
  return duplicated + wrongExpiry + alien > 0 || (lost > 0 && !mayLose);
}

await main();
