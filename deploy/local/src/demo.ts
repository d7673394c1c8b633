import { setTimeout as sleep } from 'node:timers/promises';
import { parseMessage, type SipRequest, type SipResponse } from '@rollcall/sip';
import { Phone, Subscription } from './phone/index.ts';
import { StartProblem } from './system.ts';
import type { Account } from './users.ts';

/** One arrow of a ladder. */
export interface Arrow {
  readonly direction: 'out' | 'in';
  readonly who: string;
  readonly raw: string;
}

const WIDTH = 46;
const SETTLE_MS = 300;

/** Plays the walk-through against a running system and prints it as it happens. */
export async function playDemo(host: string, port: number, domain: string, account: Account): Promise<void> {
  const print = (line: string) => process.stdout.write(`${line}\n`);
  print(`\n  phone${' '.repeat(WIDTH - 4)}Rollcall`);
  await walkThrough({
    host,
    port,
    domain,
    account,
    arrow: (arrow) => print(drawArrow(arrow)),
    note: (text) => print(`\n  -- ${text}`),
  });
  print('');
}

interface WalkThrough {
  readonly host: string;
  readonly port: number;
  readonly domain: string;
  readonly account: Account;
  readonly arrow: (arrow: Arrow) => void;
  readonly note: (text: string) => void;
}

/** REGISTER, SUBSCRIBE to one's own registrations, a second device, and its end. */
export async function walkThrough({ host, port, domain, account, arrow, note }: WalkThrough): Promise<void> {
  const open = (who: string) =>
    Phone.open({
      ...{ transport: 'udp', server: { host, port }, domain, user: account.user, password: account.password },
      ...(host === '0.0.0.0' ? { local: { address: '0.0.0.0' } } : {}),
      onTraffic: (direction, raw) => arrow({ direction, who, raw }),
    });
  const desk = await open('desk');
  const mobile = await open('mobile');
  try {
    note('The desk phone registers: challenged, then answered');
    await wanted(desk.register(300), 200);
    note('It subscribes to its own registrations (RFC 3680)');
    desk.forget();
    const subscription = new Subscription(desk, {
      event: 'reg',
      expires: 300,
      accept: 'application/reginfo+xml',
    });
    await wanted(subscription.send(), 200);
    await subscription.nextNotify();
    note('A second device registers for the same user; the desk phone is told');
    await wanted(mobile.register(300), 200);
    await subscription.nextNotify();
    note('The second device goes; the desk phone is told');
    await wanted(mobile.register(0), 200);
    await subscription.nextNotify();
    await sleep(SETTLE_MS);
  } finally {
    desk.close();
    mobile.close();
  }
}

async function wanted(answer: Promise<SipResponse>, status: number): Promise<void> {
  const response = await answer;
  if (response.status !== status)
    throw new StartProblem(`the demo expected ${status} and got ${response.status} ${response.reason}`);
}

/** One line: direction, start line in short, and the headers that tell the story. */
export function drawArrow({ direction, who, raw }: Arrow): string {
  const parsed = parseMessage(raw);
  if (!parsed.ok) return `  ${who.padEnd(7)} ?`;
  const label = describe(parsed.value);
  const line = '-'.repeat(Math.max(2, WIDTH - label.length));
  return direction === 'out'
    ? `  ${who.padEnd(7)} |- ${label} ${line}>|`
    : `  ${who.padEnd(7)} |<${line} ${label} -|`;
}

function describe(message: SipRequest | SipResponse): string {
  if (message.kind === 'response') {
    const bindings = message.headers('contact').length;
    const method = (message.header('cseq') ?? '').split(' ')[1] ?? '';
    const stored =
      method === 'REGISTER' && message.status === 200
        ? `, ${bindings} Contact${bindings === 1 ? '' : 's'}`
        : '';
    return `${message.status} ${message.reason} (${method}${stored})`;
  }
  const facts = [
    message.has('authorization') ? 'with credentials' : '',
    message.header('event') ?? '',
    (message.header('subscription-state') ?? '').split(';')[0] ?? '',
    message.method === 'REGISTER' && message.header('expires') === '0' ? 'Expires: 0' : '',
  ].filter((fact) => fact !== '');
  return facts.length === 0 ? message.method : `${message.method} (${facts.join(', ')})`;
}
