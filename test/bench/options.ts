import { parseArgs } from 'node:util';

export const TRANSPORTS = ['udp', 'tcp', 'tls', 'ws', 'wss'] as const;
export type Transport = (typeof TRANSPORTS)[number];

export interface BenchOptions {
  readonly peers: readonly string[];
  readonly scenarios: readonly string[];
  /** Outstanding calls of the closed-loop runs. */
  readonly outstanding: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  readonly users: number;
  /** Calls before the measured ones; 0: three seconds of them. */
  readonly warm: number;
  /** Measured in turn; Kamailio is not asked over those that its configuration here does not serve. */
  readonly transports: readonly Transport[];
  /** Node binary that runs the services; the bench itself runs on its own. */
  readonly node: string;
  readonly install: boolean;
  /** Bindings to store for the memory run; 0 leaves it out. */
  readonly memory: number;
  /** Directory for V8 CPU profiles of the services; empty leaves them out. */
  readonly profile: string;
  readonly out: string;
}

export const usage = `npm run bench -- [options]
  --peers LIST        kamailio-redis-wt, kamailio-redis-dbonly, kamailio-digest, rollcall   (default kamailio-redis-wt,rollcall)
  --scenarios LIST    register-auth, refresh, query, options, subscribe, publish, presence-cycle   (default register-auth,refresh)
  --outstanding LIST  calls under way at once in the closed loop   (default 64,256)
  --seconds N         length of one run   (default 5)
  --rounds N          the peers are taken in turn, N times; medians are printed   (default 3)
  --users N           (default 20000)
  --warm N            calls before those that are measured   (default: 3 s of them)
  --transport LIST    udp, tcp, tls, ws, wss; over streams each call under way has a connection of its own   (default udp)
  --node PATH         the Node that runs Rollcall's services   (default: the one that runs the bench)
  --memory N          store N bindings and print the bytes each takes in Redis, and each service's resident memory
  --profile DIR       write V8 CPU profiles of the services and print where the time goes
  --install           apt-get install Kamailio, Redis and what the load generator needs (root)
  --out FILE          append every measurement as a JSON line   (default .bench/results.jsonl)
`;

const list = (text: string): string[] => text.split(',').filter((part) => part !== '');

/** Reads the command line; throws a RangeError that says what is wrong with it. */
export function readOptions(argv: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      peers: { type: 'string', default: 'kamailio-redis-wt,rollcall' },
      scenarios: { type: 'string', default: 'register-auth,refresh' },
      outstanding: { type: 'string', default: '64,256' },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
      users: { type: 'string', default: '20000' },
      warm: { type: 'string', default: '0' },
      transport: { type: 'string', default: 'udp' },
      node: { type: 'string', default: process.execPath },
      memory: { type: 'string', default: '0' },
      profile: { type: 'string', default: '' },
      install: { type: 'boolean', default: false },
      out: { type: 'string', default: '.bench/results.jsonl' },
    },
  });
  const count = (name: string, text: string): number => {
    const value = Number(text);
    if (!Number.isFinite(value) || value < 0) throw new RangeError(`--${name}: "${text}" is not a count`);
    return value;
  };
  const transports = list(values.transport).map((name) => {
    const known = TRANSPORTS.find((one) => one === name);
    if (known === undefined)
      throw new RangeError(`--transport: "${name}" is none of ${TRANSPORTS.join(', ')}`);
    return known;
  });
  return {
    peers: list(values.peers),
    scenarios: list(values.scenarios),
    outstanding: list(values.outstanding).map((text) => count('outstanding', text)),
    seconds: count('seconds', values.seconds),
    rounds: count('rounds', values.rounds),
    users: count('users', values.users),
    warm: count('warm', values.warm),
    transports,
    node: values.node,
    memory: count('memory', values.memory),
    profile: values.profile,
    install: values.install,
    out: values.out,
  };
}
