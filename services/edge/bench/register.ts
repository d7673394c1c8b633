/**
 * What the core spends on one registration (REGISTER, 401, REGISTER, 200), sockets apart: CPU time of this process. Run:
 * node --import tsx --conditions=@rollcall/source services/edge/bench/register.ts
 */
import { hashOctets } from '@rollcall/digest';
import { MemoryMessages } from '@rollcall/location';
import { checkRequest, edit, parseMessage } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import { readAnswer } from '@rollcall/sip-net';
import type { InnerAnswer } from '@rollcall/sip-net';
import type { ServerTransaction } from '@rollcall/sip-transaction';
import { createCore } from '../src/core.ts';
import type { InnerLink, InnerOutcome } from '../src/ports.ts';
import {
  ADVERTISED,
  CALL_OPTIONS,
  EDGE,
  FakeFlow,
  FakeFront,
  FakeStore,
  Hand,
  INNER,
  SECRET,
  settle,
} from '../test/world.ts';

const ROUNDS = 60_000;
const USERS = 1_000;
const REALM = 'example.test';

const store = new FakeStore();
const ha1s: string[] = [];
for (let i = 0; i < USERS; i += 1) ha1s.push(store.addUser(`u${String(i)}`, 'secret', REALM).ha1.MD5 ?? '');

class Link implements InnerLink {
  message = '';
  done: ((outcome: InnerOutcome) => void) | undefined;
  request(_key: string, _branch: string, message: string, done: (outcome: InnerOutcome) => void): void {
    this.message = message;
    this.done = done;
  }
}

class Transaction implements ServerTransaction {
  message = '';
  constructor(
    readonly request: SipRequest,
    readonly flow: FakeFlow,
  ) {}
  respond(_status: number, message: string): void {
    this.message = message;
  }
  respondStateless(message: string): void {
    this.message = message;
  }
}

const hand = new Hand();
const link = new Link();
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const core = createCore(
  {
    front: new FakeFront(),
    registrar: link,
    presence: link,
    users: store.users,
    location: store.location,
    storeClock: hand,
    leases: store.leaseSource,
    messages: new MemoryMessages(hand),
    push: undefined,
    load: { lagMs: () => 0, waiting: () => 0 },
    clock: hand,
    timers: hand,
    random: () => 0,
    trace: () => undefined,
    log: quiet,
  },
  {
    edge: EDGE,
    inner: INNER,
    secret: SECRET,
    algorithms: ['SHA-512-256', 'SHA-256', 'MD5'],
    nonceLifetimeMs: 3_600_000,
    nonceLimit: 100_000,
    userCacheLimit: 100_000,
    digest: { allowRfc2069: true, digestUri: 'equivalent' },
    ...CALL_OPTIONS,
  },
);
core.own.add(ADVERTISED);
core.domains.start();
await settle();

const flow = new FakeFlow('u0-c0000201-5062', 'udp', { address: '192.0.2.1', port: 5062 });
const A2 = hashOctets('MD5', 'REGISTER:sip:example.test');

function text(round: number, user: number, seq: number, authorization: string): string {
  const name = `u${String(user)}`;
  return (
    `REGISTER sip:${REALM} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.99:5062;branch=z9hG4bK${String(round)}.${String(seq)};rport\r\n` +
    `Max-Forwards: 70\r\nFrom: <sip:${name}@${REALM}>;tag=f${String(round)}\r\nTo: <sip:${name}@${REALM}>\r\n` +
    `Call-ID: c${String(round)}@bench\r\nCSeq: ${String(seq)} REGISTER\r\nContact: <sip:${name}@192.0.2.99:5062>\r\nExpires: 3600\r\n` +
    `${authorization}User-Agent: bench\r\nContent-Length: 0\r\n\r\n`
  );
}

/** From octets, so that each string is flat as one from a socket is. */
function receive(message: string): string {
  return Buffer.from(message, 'latin1').toString('latin1');
}

function parse(raw: string): SipRequest {
  const parsed = parseMessage(raw);
  if (!parsed.ok || parsed.value.kind !== 'request') throw new Error('not a request');
  if (checkRequest(parsed.value, { stream: false }) !== undefined) throw new Error('not well-formed');
  return parsed.value;
}

function parseAnswer(raw: string): InnerAnswer {
  const answer = readAnswer(raw, 'top');
  if (answer === undefined) throw new Error('not a response');
  return answer;
}

const spent: Record<string, number> = {};

async function batch(first: number, count: number): Promise<void> {
  const time = <T>(what: string, items: readonly T[], work: (item: T, i: number) => void): void => {
    const before = process.cpuUsage();
    for (let i = 0; i < items.length; i += 1) work(items[i] as T, i);
    const { user, system } = process.cpuUsage(before);
    spent[what] = (spent[what] ?? 0) + user + system;
  };
  const rounds = Array.from({ length: count }, (_, i) => first + i);
  const plain = rounds.map((round) => receive(text(round, round % USERS, 1, '')));
  const requests: SipRequest[] = [];
  time('parse and check REGISTER', plain, (raw) => requests.push(parse(raw)));
  const challenged = requests.map((request) => new Transaction(request, flow));
  time('401', challenged, (transaction) => {
    core.onRequest.onRequest(transaction);
  });
  const answered = challenged.map(({ message }, i) => {
    const round = first + i;
    const user = round % USERS;
    const nonce = /nonce="([^"]+)"/.exec(message)?.[1] ?? '';
    const response = hashOctets('MD5', `${ha1s[user] ?? ''}:${nonce}:00000001:c${String(round)}:auth:${A2}`);
    const line = `Authorization: Digest username="u${String(user)}",realm="${REALM}",nonce="${nonce}",uri="sip:${REALM}",response="${response}",algorithm=MD5,qop=auth,nc=00000001,cnonce="c${String(round)}"\r\n`;
    return receive(text(round, user, 2, line));
  });
  const proved: SipRequest[] = [];
  time('parse and check REGISTER with credentials', answered, (raw) => proved.push(parse(raw)));
  const forwarded: {
    message: string;
    done: ((outcome: InnerOutcome) => void) | undefined;
    transaction: Transaction;
  }[] = [];
  const transactions = proved.map((request) => new Transaction(request, flow));
  time('verify and forward', transactions, (transaction) => {
    link.done = undefined;
    core.onRequest.onRequest(transaction);
    forwarded.push({ message: link.message, done: link.done, transaction });
  });
  await settle();
  const waiting = forwarded.filter(({ done }) => done !== undefined);
  const replies = waiting.map(({ message }) =>
    receive(
      edit(parse(message), {
        remove: ['user-agent'],
        append: 'Date: Mon, 01 Jun 2026 12:00:00 GMT\r\n',
      }).replace(/^[^\r]+/, 'SIP/2.0 200 OK'),
    ),
  );
  const answers: InnerAnswer[] = [];
  time('read the answer', replies, (raw) => answers.push(parseAnswer(raw)));
  time('hand the answer on', answers, (answer, i) => {
    waiting[i]?.done?.(answer);
  });
  if (count !== waiting.length && first >= USERS)
    process.stderr.write(`only ${String(waiting.length)} of ${String(count)} were proved\n`);
}

for (let i = 0; i < 20_000; i += USERS) await batch(i, USERS);
for (const what of Object.keys(spent)) spent[what] = 0;
for (let i = 20_000; i < 20_000 + ROUNDS; i += USERS) await batch(i, USERS);
let total = 0;
for (const [what, us] of Object.entries(spent)) {
  total += us / ROUNDS;
  console.log(`${what.padEnd(44)} ${(us / ROUNDS).toFixed(2).padStart(6)} µs`);
}
console.log(`${'together'.padEnd(44)} ${total.toFixed(2).padStart(6)} µs`);
