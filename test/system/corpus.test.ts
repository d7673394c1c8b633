import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ALICE, TestSystem } from '@rollcall/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FIXTURES, type CorpusRow, readCorpus } from './corpus.ts';

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start();
});
afterAll(() => system.stop());

const ANSWER_MS = 2500;
const SILENCE_MS = 350;
/** After the first answer: time for one too many. */
const MORE_MS = 120;
/** Until the edge has heard of a change to the domains. */
const SETTLE_MS = 150;

const rows = readCorpus();
const octetsOf = (row: CorpusRow): Buffer => readFileSync(new URL(row.file, FIXTURES));

const isRegister = (row: CorpusRow): boolean => /^REGISTER /m.test(octetsOf(row).toString('latin1'));

/**
 * What the index expects of a REGISTER is what the registrar of its domain answers; of the rest, what a proxy answers that
 * knows nobody there and relays for nobody (RFC 3261 §21.4.4).
 */
async function own(domains: boolean): Promise<void> {
  const { users } = await system.store();
  for (const name of ['example.com', '[2001:db8::10]']) {
    if (domains) await users.domains.put({ name });
    else await users.domains.remove(name);
  }
  await sleep(SETTLE_MS);
}

const statusOf = (answer: string): string =>
  /^SIP\/2\.0 (\d{3}) /.exec(answer)?.[1] ?? `no response: ${answer.slice(0, 40)}`;
const matches = (status: string, codes: readonly string[]): boolean =>
  codes.some((code) => code === status || (code === '2xx' && status.startsWith('2')));
const finals = (answers: readonly string[]): string[] =>
  answers.map(statusOf).filter((status) => !status.startsWith('1'));

/** Sends one datagram from a loopback address of its own and the port that the top Via names; returns what comes back. */
async function overUdp(row: CorpusRow, index: number): Promise<string[]> {
  const socket = createSocket('udp4');
  const answers: string[] = [];
  socket.on('message', (data) => answers.push(data.toString('latin1')));
  await new Promise<void>((resolve) =>
    socket.bind({ address: `127.0.2.${index + 1}`, port: row.sentByPort }, resolve),
  );
  const { host, port } = system.sip('udp');
  socket.send(octetsOf(row), port, host);
  await settle(answers, row.udp.length === 0);
  socket.close();
  return answers;
}

async function settle(answers: readonly string[], silent: boolean, isClosed = () => false): Promise<void> {
  const until = Date.now() + (silent ? SILENCE_MS : ANSWER_MS);
  while (Date.now() < until && finals(answers).length === 0 && !isClosed()) await sleep(10);
  await sleep(MORE_MS);
}

interface StreamOutcome {
  readonly answers: readonly string[];
  readonly closed: boolean;
}

async function overTcp(octets: Buffer, silent: boolean): Promise<StreamOutcome> {
  const { host, port } = system.sip('tcp');
  const socket = connect({ host, port });
  let received = '';
  let closed = false;
  const answers: string[] = [];
  socket.on('data', (data) => {
    received += data.toString('latin1');
    answers.splice(0, answers.length, ...(received.match(/SIP\/2\.0 \d{3} [^]*?\r\n\r\n/g) ?? []));
  });
  socket.on('close', () => (closed = true));
  socket.on('error', () => (closed = true));
  await new Promise((resolve) => socket.on('connect', resolve));
  socket.write(octets);
  await settle(answers, silent, () => closed);
  socket.destroy();
  return { answers, closed };
}

/** The service still answers a well-formed REGISTER. */
async function expectUnharmed(): Promise<void> {
  const phone = await system.phone(ALICE);
  const answer = await phone.transact(phone.build('REGISTER', { auth: false }));
  expect(answer.status).toBe(401);
  system.closePhones();
  for (const service of system.system.services) expect(service.process.exited).toBe(false);
}

it('B24 the corpus has all 74 rows', () => {
  expect(rows).toHaveLength(74);
});

describe.each([
  ['REGISTER', true],
  ['other requests and responses', false],
])('B24 RFC 4475 and RFC 5118, %s', (_, register) => {
  const mine = rows.filter((row) => isRegister(row) === register);
  const named = mine.map((row) => [row.file, row] as const);
  beforeAll(() => own(register));

  it.each(named.filter(([, row]) => !row.streamOnly))('B24 %s over UDP', async (__, row) => {
    const answers = finals(await overUdp(row, rows.indexOf(row)));
    if (answers.length === 0 && (row.udp.length === 0 || row.silenceAllowed)) return;
    expect(answers.length).toBeGreaterThan(0);
    for (const status of answers) {
      expect(matches(status, row.udp), `${status} is not one of ${row.udp.join(', ')}`).toBe(true);
    }
  });

  it.each(named)('B24 %s over TCP', async (__, row) => {
    const { answers, closed } = await overTcp(octetsOf(row), row.stream.length === 0);
    const statuses = finals(answers);
    const silence = row.stream.length === 0 || row.streamSilenceAllowed || (row.closeAllowed && closed);
    if (statuses.length === 0 && silence) return;
    expect(statuses.length).toBeGreaterThan(0);
    for (const status of statuses) {
      expect(matches(status, row.stream), `${status} is not one of ${row.stream.join(', ')}`).toBe(true);
    }
    // Behind the INVITE stand octets that its Content-Length leaves over: they may be refused as well.
    if (row.file.endsWith('dblreq.sip')) expect(statuses.length).toBeGreaterThanOrEqual(2);
  });

  it('B24 every process is unharmed', expectUnharmed);
});

describe('B24 what the index asserts beside the status', () => {
  it('B24 dblreq.sip: one datagram with two requests gets exactly one answer', async () => {
    const at = rows.findIndex((row) => row.file.endsWith('dblreq.sip'));
    expect(finals(await overUdp(rows[at]!, 120))).toHaveLength(1);
  });

  it('B24 intmeth.sip: Call-ID, From and CSeq are echoed octet for octet', async () => {
    const row = rows.find((one) => one.file.endsWith('intmeth.sip'))!;
    const octets = octetsOf(row).toString('latin1');
    const { answers } = await overTcp(octetsOf(row), false);
    for (const name of ['Call-ID', 'From', 'CSeq']) {
      const sent = new RegExp(`^${name}: *(.*(?:\\r\\n[ \\t].*)*)`, 'im').exec(octets)?.[1];
      expect(sent).toBeDefined();
      expect(answers.join('')).toContain(sent);
    }
  });

  it('B24 insuf.sip: the answer to a request without Call-ID, From and To invents none', async () => {
    const row = rows.find((one) => one.file.endsWith('insuf.sip'))!;
    const answers = await overUdp(row, 121);
    expect(answers.join('')).not.toMatch(/undefined|null|NaN/);
  });

  it('B24 a malformed packet is counted', async () => {
    const before = await system.metric('edge', 'rollcall_sip_malformed_total');
    await overUdp(
      rows.find((one) => one.file.endsWith('lwsruri.sip'))!,
      122,
    );
    expect(await system.metric('edge', 'rollcall_sip_malformed_total')).toBeGreaterThan(before);
  });

  it('B24 no torture message left a binding', async () => {
    const store = await system.store();
    for (const aor of ['null-', 'watson', 'user', 'j.user']) {
      expect((await store.location.read(`sip:${aor}@example.com` as never)).bindings).toEqual([]);
    }
  });
});
