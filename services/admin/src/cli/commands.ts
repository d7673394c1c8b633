import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Fields, RestClient } from './client.ts';
import { ladderText, safe, table } from './print.ts';

export interface Session {
  readonly client: RestClient;
  readonly print: (text: string) => void;
  /** Characters of a line of the terminal; undefined when nobody looks on. */
  readonly width?: number | undefined;
  /** A password typed in, or piped in. */
  readonly readPassword: () => Promise<string>;
  /** Aborts with Ctrl-C. */
  readonly signal: AbortSignal;
}

/** A wrong command line; the message says what is wrong with it. */
export class Misused extends Error {
  override readonly name = 'Misused';
}

interface Command {
  readonly usage: string;
  readonly help: string;
  /** Fewest and most words after the command. */
  readonly words: readonly [number, number];
  readonly options?: readonly string[];
  readonly flags?: readonly string[];
  run(
    session: Session,
    words: readonly string[],
    options: Readonly<Record<string, string | boolean | undefined>>,
  ): Promise<void>;
}

const enc = encodeURIComponent;
const aorPath = (aor: string): string => `/v1/aors/${enc(aor)}`;

async function collect(items: AsyncGenerator<Fields>, limit = 1_000): Promise<Fields[]> {
  const all: Fields[] = [];
  for await (const item of items) if (all.push(item) >= limit) break;
  return all;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  aors: {
    usage: 'aors [--domain D] [--prefix P] [--transport T] [--user-agent TEXT] [--edge ID]',
    help: 'registered addresses-of-record, the first thousand',
    words: [0, 0],
    options: ['domain', 'prefix', 'transport', 'user-agent', 'edge'],
    async run({ client, print }, _, options) {
      const query = Object.entries(options)
        .filter(([, value]) => typeof value === 'string')
        .map(([name, value]) => `${name.replace('-', '_')}=${enc(String(value))}`);
      const rows = await collect(client.items(`/v1/aors?${['limit=1000', ...query].join('&')}`));
      print(
        table(
          ['aor', 'contact', 'transport', 'edge', 'seconds', 'user agent'],
          rows.flatMap(({ aor, bindings }) =>
            (bindings as readonly Fields[]).map((one) => [aor, one['contact'], one['transport'], one['edge'], one['expires'], one['userAgent']]),
          ),
        ),
      ); // prettier-ignore
    },
  },
  bindings: {
    usage: 'bindings AOR',
    help: 'its bindings',
    words: [1, 1],
    async run({ client, print }, [aor = '']) {
      const { bindings } = await client.get(`${aorPath(aor)}/bindings`);
      const rows = bindings as readonly Fields[];
      print(
        table(
          ['id', 'contact', 'q', 'seconds', 'source', 'user agent'],
          rows.map((one) => [one['id'], one['contact'], one['q'], one['expires'], one['source'], one['userAgent']]),
        ),
      ); // prettier-ignore
    },
  },
  unbind: {
    usage: 'unbind AOR [ID]',
    help: 'takes one binding away, or all of them',
    words: [1, 2],
    async run({ client, print }, [aor = '', id]) {
      await client.send('DELETE', `${aorPath(aor)}/bindings${id === undefined ? '' : `/${enc(id)}`}`);
      print('done');
    },
  },
  subscriptions: {
    usage: 'subscriptions AOR [--watcher]',
    help: 'who watches it; with --watcher what it watches',
    words: [1, 1],
    flags: ['watcher'],
    async run({ client, print }, [aor = ''], { watcher }) {
      const query = `${watcher === true ? 'watcher' : 'resource'}=${enc(aor)}`;
      const rows = await collect(client.items(`/v1/subscriptions?${query}`));
      const line = (one: Fields): unknown[] => {
        const notify = one['notify'] as Fields;
        return [one['id'], one['event'], one['resource'], one['watcher'], one['access'], one['expires'], notify['cseq'], notify['status']];
      }; // prettier-ignore
      print(
        table(['id', 'event', 'resource', 'watcher', 'access', 'seconds', 'cseq', 'answer'], rows.map(line)),
      );
    },
  },
  users: {
    usage: 'users DOMAIN',
    help: 'its users, the first thousand',
    words: [1, 1],
    async run({ client, print }, [domain = '']) {
      const rows = await collect(client.items(`/v1/domains/${enc(domain)}/users?limit=1000`));
      print(
        table(
          ['aor', 'name', 'enabled', 'algorithms'],
          rows.map((one) => [one['aor'], one['displayName'], one['enabled'], (one['algorithms'] as string[]).join(' ')]),
        ),
      ); // prettier-ignore
    },
  },
  'user-put': {
    usage: 'user-put DOMAIN USER [--name TEXT]',
    help: 'makes a user or gives one a new password, which is read from the terminal or the standard input',
    words: [2, 2],
    options: ['name'],
    async run({ client, print, readPassword }, [domain = '', user = ''], { name }) {
      const password = await readPassword();
      const body = { password, ...(typeof name === 'string' ? { displayName: name } : {}) };
      await client.send('PUT', `/v1/domains/${enc(domain)}/users/${enc(user)}`, body);
      print('done');
    },
  },
  'user-delete': {
    usage: 'user-delete DOMAIN USER',
    help: 'deletes a user; bindings stay until they expire',
    words: [2, 2],
    async run({ client, print }, [domain = '', user = '']) {
      await client.send('DELETE', `/v1/domains/${enc(domain)}/users/${enc(user)}`);
      print('done');
    },
  },
  events: {
    usage: 'events [--domain D] [--aor AOR]',
    help: 'changes of bindings as they happen, until Ctrl-C',
    words: [0, 0],
    options: ['domain', 'aor'],
    async run({ client, print, signal }, _, options) {
      const query = Object.entries(options)
        .filter(([, value]) => typeof value === 'string')
        .map(([name, value]) => `${name}=${enc(String(value))}`);
      const path = `/v1/events${query.length === 0 ? '' : `?${query.join('&')}`}`;
      for await (const event of client.events(path, signal)) {
        const { at, kind, aor, contact, actor } = event;
        print([at, safe(kind).padEnd(12), aor, contact, actor].map(safe).join('  ').trimEnd());
      }
    },
  },
  trace: {
    usage: 'trace AOR [--messages] [--seconds N]',
    help: 'its last exchanges as a ladder; with --seconds all that comes is kept for so long',
    words: [1, 1],
    options: ['seconds'],
    flags: ['messages'],
    async run({ client, print, width }, [aor = ''], { messages, seconds }) {
      if (typeof seconds === 'string')
        await client.send('POST', '/v1/traces', { aor, seconds: Number(seconds) });
      print(ladderText(await client.get(`${aorPath(aor)}/trace`), messages === true, width));
    },
  },
  pcap: {
    usage: 'pcap AOR FILE',
    help: 'its last exchanges as a capture file for Wireshark; - for FILE is the standard output',
    words: [2, 2],
    async run({ client, print }, [aor = '', file = '']) {
      const octets = await client.octets(`${aorPath(aor)}/trace.pcap`);
      if (file === '-') process.stdout.write(octets);
      else {
        writeFileSync(file, octets);
        print(`${String(octets.length)} octets in ${safe(file)}`);
      }
    },
  },
  edges: {
    usage: 'edges',
    help: 'the edges that live',
    words: [0, 0],
    async run({ client, print }) {
      const { items } = await client.get('/v1/edges');
      const rows = items as readonly Fields[];
      print(
        table(
          ['id', 'inner', 'epoch'],
          rows.map((one) => [one['id'], one['inner'], one['epoch']]),
        ),
      );
    },
  },
};

export const HELP = [
  'rollcall COMMAND, with ROLLCALL_ADMIN_URL and ROLLCALL_ADMIN_TOKEN in the environment',
  '',
  ...Object.values(COMMANDS).map(({ usage, help }) => `  ${usage}\n      ${help}`),
  '',
].join('\n');

/** Runs one command line. Throws `Misused` and `Refused`. */
export async function runCommand(session: Session, argv: readonly string[]): Promise<void> {
  const [name = '', ...rest] = argv;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw new Misused(`no command "${name}"; rollcall --help lists them`);
  const options: Record<string, { type: 'string' | 'boolean' }> = {};
  for (const option of command.options ?? []) options[option] = { type: 'string' };
  for (const flag of command.flags ?? []) options[flag] = { type: 'boolean' };
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: rest, options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new Misused((error as Error).message);
  }
  const [fewest, most] = command.words;
  const { positionals, values } = parsed;
  if (positionals.length < fewest || positionals.length > most)
    throw new Misused(`rollcall ${command.usage}`);
  await command.run(session, positionals, values as Readonly<Record<string, string | boolean | undefined>>);
}
