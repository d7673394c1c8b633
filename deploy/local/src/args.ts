import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { err, ok, type Result } from '@rollcall/kernel';
import type { Replicas } from './plan.ts';

export interface StartArgs {
  readonly json: boolean;
  readonly demo: boolean;
  readonly help: boolean;
  readonly host: string;
  readonly portBase: number;
  readonly users: number;
  readonly replicas: Replicas;
  readonly redis?: string;
  readonly node: string;
}

export const USAGE = `npm start -- [options]

  --json                one JSON line on standard output when all is ready; everything else goes to standard error
  --demo                plays a phone that registers and subscribes, prints its ladder, and stops
  --host ADDRESS        where SIP and the admin interface listen (127.0.0.1); a LAN address lets phones in
  --port-base N         SIP over UDP and TCP on N, TLS, WS and WSS on the three above, every other port in the block (5060)
  --users N             adds users u00001 ... with passwords pass-u00001 ... to example.test
  --replicas LIST       edge=2,registrar=2,presence=2 (one of each)
  --redis URL           uses this Redis; else REDIS_URL; else an own one is started
  --node PATH           the Node binary that runs the services (this one)
  --help
`;

const MAX_REPLICAS = 16;
/** The highest base that leaves room for the block of ports above it. */
const MAX_PORT_BASE = 65_000;
const MAX_USERS = 1_000_000;

/** Reads the flags of `npm start`. The error is one line that names the flag. */
export function readArgs(argv: readonly string[], node: string): Result<StartArgs, string> {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...argv],
      options: {
        json: { type: 'boolean', default: false },
        demo: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        host: { type: 'string', default: '127.0.0.1' },
        'port-base': { type: 'string', default: '5060' },
        users: { type: 'string', default: '0' },
        replicas: { type: 'string', default: '' },
        redis: { type: 'string' },
        node: { type: 'string', default: node },
      },
    }));
  } catch (error) {
    return err(error instanceof Error ? (error.message.split(/\. |\n/)[0] ?? error.message) : String(error));
  }
  const portBase = integer(values['port-base'], 1, MAX_PORT_BASE);
  if (portBase === undefined) {
    return err(`--port-base: "${values['port-base']}" is not an integer between 1 and ${MAX_PORT_BASE}`);
  }
  const users = integer(values.users, 0, MAX_USERS);
  if (users === undefined)
    return err(`--users: "${values.users}" is not an integer between 0 and ${MAX_USERS}`);
  const replicas = readReplicas(values.replicas);
  if (!replicas.ok) return replicas;
  const host = readHost(values.host);
  if (!host.ok) return host;
  const { json, demo, help } = values;
  return ok({
    ...{ json, demo, help, host: host.value, portBase, users, replicas: replicas.value, node: values.node },
    ...(values.redis === undefined ? {} : { redis: values.redis }),
  });
}

const ANY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Certificates and Contacts name the address, so that it must be one that phones reach. */
function readHost(text: string): Result<string, string> {
  if (text === 'localhost') return ok('127.0.0.1');
  if (ANY_ADDRESS.has(text))
    return err(`--host: "${text}" is no address that phones can be told; name one, such as 192.168.1.10`);
  return isIP(text) === 0 ? err(`--host: "${text}" is not an IP address, such as 192.168.1.10`) : ok(text);
}

function readReplicas(text: string): Result<Replicas, string> {
  const replicas = { edge: 1, registrar: 1, presence: 1 };
  for (const part of text.split(',').filter((one) => one !== '')) {
    const [name = '', count = ''] = part.split('=');
    const number = integer(count, 1, MAX_REPLICAS);
    if (name !== 'edge' && name !== 'registrar' && name !== 'presence') {
      return err(`--replicas: "${name}" is not one of edge, registrar, presence`);
    }
    if (number === undefined) return err(`--replicas: "${part}" wants a count between 1 and ${MAX_REPLICAS}`);
    replicas[name] = number;
  }
  return ok(replicas);
}

function integer(text: string, min: number, max: number): number | undefined {
  if (!/^\d{1,9}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}
