import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { configOrExit, defineConfig, redisAddress, redisSettings } from '@rollcall/config';
import { StoreUnavailable } from '@rollcall/location';
import { connectStore, Repair, Reshard } from '@rollcall/store-redis';
import type { Store } from '@rollcall/store-redis';

const USAGE = `node services/admin/dist/store-command/main.js COMMAND

  reshard --to N     spreads the AoRs over N shards while the services run; writes get 503 with Retry-After meanwhile
  repair [--fix]     compares due-sets and indexes with the records while the services run; with --fix mends them
  --verbose          a line for each fault

Where Redis is say ROLLCALL_REDIS_URL, ROLLCALL_REDIS_SENTINELS or ROLLCALL_REDIS_CLUSTER, as for the services.
`;

const EXIT_FAILED = 1;
const EXIT_USAGE = 64;
/** Keys are copied many at a time; a server that is busy with them may take a while for each. */
const COMMAND_TIMEOUT_MS = 10_000;
const CONNECT_MS = 10_000;
const POLL_MS = 50;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

interface Command {
  run(store: Store): Promise<unknown>;
}

/** Undefined when the command line is none of ours. */
function readCommand(argv: readonly string[]): Command | undefined {
  try {
    const { positionals, values } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        to: { type: 'string' },
        fix: { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
      },
    });
    const [name, ...more] = positionals;
    if (more.length > 0) return undefined;
    if (name === 'reshard' && values.to !== undefined && /^\d{1,4}$/.test(values.to)) {
      const to = Number(values.to);
      return { run: (store) => new Reshard(store, say).run(to) };
    }
    if (name !== 'repair' || values.to !== undefined) return undefined;
    const tell = values.verbose ? (fault: string, what: string) => say(`${fault} ${what}`) : undefined;
    return { run: (store) => new Repair(store, values.fix, tell).run() };
  } catch {
    return undefined;
  }
}

async function main(): Promise<number> {
  const command = readCommand(process.argv.slice(2));
  if (command === undefined) {
    process.stderr.write(USAGE);
    return EXIT_USAGE;
  }
  const config = configOrExit('rollcall-store', defineConfig({ ...redisSettings }));
  const store = await connectStore({ ...redisAddress(config), commandTimeoutMs: COMMAND_TIMEOUT_MS });
  try {
    for (const until = Date.now() + CONNECT_MS; !store.ready() && Date.now() < until;) await sleep(POLL_MS);
    process.stdout.write(`${JSON.stringify(await command.run(store))}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof StoreUnavailable) && !(error instanceof RangeError)) throw error;
    say(`rollcall-store: ${error.message}`);
    return EXIT_FAILED;
  } finally {
    await store.close();
  }
}

process.exitCode = await main();
