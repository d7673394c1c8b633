import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServerTransaction } from '@rollcall/sip-transaction';
import { answer } from '../src/index.ts';
import {
  type Bench,
  message,
  pause,
  reply,
  request,
  startFront,
  TcpPhone,
  UdpPhone,
  until,
} from './support.ts';

let bench: Bench;
let caller: UdpPhone;

beforeEach(async () => {
  bench = await startFront();
  caller = await UdpPhone.open(bench);
});
afterEach(() => bench.stop());

const BRANCH = 'z9hG4bKinvite';
const invite = (parts: Parameters<typeof request>[0] = {}): string =>
  request({ method: 'INVITE', uri: 'sip:bob@example.test', branch: BRANCH, ...parts });

async function ring(): Promise<ServerTransaction> {
  caller.send(invite());
  return bench.user.requests.next('INVITE');
}

describe('RFC 3261 §17.2.1: the INVITE server transaction', () => {
  it('sends 100 when its user has nothing to say for 200 ms, without a To tag', async () => {
    await ring();
    await pause(60);
    expect(caller.inbox.all).toHaveLength(0);
    bench.clock.turn(200);
    const trying = await caller.response();
    expect(trying.status).toBe(100);
    expect(trying.to()).toMatchObject({ ok: true, value: { tag: undefined } });
  });

  it('sends no 100 when its user was quicker', async () => {
    const transaction = await ring();
    reply(transaction, 180);
    bench.clock.turn(300);
    await pause(70);
    expect((await caller.response()).status).toBe(180);
    expect(caller.inbox.all).toHaveLength(1);
  });

  it('answers the INVITE once more with the last provisional', async () => {
    const transaction = await ring();
    reply(transaction, 180);
    caller.send(invite());
    await until(() => caller.inbox.all.length === 2);
    expect(caller.inbox.all[0]).toBe(caller.inbox.all[1]);
    expect(bench.user.requests.all).toHaveLength(1);
  });

  it('repeats a 486 by timer G until the ACK, which is absorbed', async () => {
    reply(await ring(), 486);
    await caller.response();
    bench.clock.turn(500);
    await caller.response();
    bench.clock.turn(1_000);
    await caller.response();
    caller.send(invite({ method: 'ACK', toTag: 'rc' }));
    await pause(30);
    bench.clock.turn(2_000);
    await pause(70);
    expect(caller.inbox.all).toHaveLength(3);
    expect(bench.user.acks.all).toHaveLength(0);
    expect(bench.front.sizes().timers).toBe(1);
    bench.clock.turn(5_000); // timer I
    await until(() => bench.front.sizes().invites === 0);
    expect(bench.front.sizes().timers).toBe(0);
  });

  it('gives up after timer H when no ACK comes', async () => {
    reply(await ring(), 486);
    bench.clock.turn(32_000);
    await until(() => bench.front.sizes().invites === 0);
    expect(bench.front.sizes().timers).toBe(0);
  });

  it('RFC 6026: after a 2xx it absorbs the INVITE, lets more 2xx out and the ACK up, until timer L', async () => {
    const transaction = await ring();
    reply(transaction, 200);
    await caller.response();
    caller.send(invite());
    await pause(30);
    expect(caller.inbox.all).toHaveLength(1);
    reply(transaction, 200, 'other-branch');
    await caller.response();
    caller.send(invite({ method: 'ACK', branch: 'z9hG4bKack' }));
    expect((await bench.user.acks.next('ACK')).method).toBe('ACK');
    caller.send(invite({ method: 'ACK' })); // a client that reuses the branch
    await bench.user.acks.next('ACK');
    bench.clock.turn(32_000);
    await until(() => bench.front.sizes().invites === 0);
  });

  it('§8.2.7: a stateless 407 is not repeated, leaves no transaction, and its ACK goes nowhere', async () => {
    bench.user.onEach = (transaction) => {
      transaction.respondStateless(answer(transaction.request, transaction.flow, 407, { toTag: 'x' }));
    };
    caller.send(invite());
    expect((await caller.response()).status).toBe(407);
    expect(bench.front.sizes()).toMatchObject({ invites: 0, timers: 0 });
    caller.send(invite({ method: 'ACK', toTag: 'x' }));
    await pause(30);
    bench.clock.turn(1_000);
    await pause(70);
    expect(caller.inbox.all).toHaveLength(1);
    expect(bench.user.acks.all).toHaveLength(0);
  });

  it('§8.2.7: a copy of a refused INVITE that is let in is given up when the refusal is acknowledged', async () => {
    let refusals = 1;
    bench.user.onEach = (transaction) => {
      if (refusals-- > 0)
        transaction.respondStateless(answer(transaction.request, transaction.flow, 503, { toTag: 'x' }));
    };
    caller.send(invite());
    expect((await caller.response()).status).toBe(503);
    caller.send(invite());
    await until(() => bench.user.requests.all.length === 2);
    const copy = bench.user.requests.all[1] as ServerTransaction;
    let cancelled = 0;
    copy.onCancel = () => {
      cancelled += 1;
      reply(copy, 487);
    };
    reply(copy, 180);
    expect((await caller.response()).status).toBe(180);
    caller.send(invite({ method: 'ACK', toTag: 'x' }));
    expect((await caller.response()).status).toBe(487);
    caller.send(invite({ method: 'ACK', toTag: 'x' }));
    await until(() => bench.front.sizes().timers === 1);
    bench.clock.turn(5_000); // timer I
    await until(() => bench.front.sizes().invites === 0);
    expect(cancelled).toBe(1);
    expect(bench.user.acks.all).toHaveLength(0);
  });

  it('over TCP nothing is repeated, and the ACK ends it at once', async () => {
    const phone = await TcpPhone.open(bench);
    const text = invite({ via: `SIP/2.0/TCP 192.0.2.77;branch=${BRANCH}` });
    phone.send(text);
    reply(await bench.user.requests.next(), 486);
    await phone.response();
    bench.clock.turn(4_000);
    await pause(70);
    expect(phone.text).toBe('');
    phone.send(text.replaceAll('INVITE', 'ACK'));
    await until(() => bench.front.sizes().invites === 0);
  });
});

describe('RFC 3261 §17.2.3: the ACK of an RFC 2543 client', () => {
  const legacy = (method: string, toTag: string): string =>
    message(
      `${method} sip:bob@example.test SIP/2.0`,
      'Via: SIP/2.0/UDP 192.0.2.77:5060;rport',
      'From: <sip:alice@example.test>;tag=a',
      `To: <sip:bob@example.test>${toTag}`,
      'Call-ID: legacy',
      `CSeq: 1 ${method}`,
      'Content-Length: 0',
    );

  it('is matched by the headers and by the To tag of our response', async () => {
    caller.send(legacy('INVITE', ''));
    const transaction = await bench.user.requests.next();
    caller.send(legacy('INVITE', ''));
    reply(transaction, 486, 'ours');
    await caller.response();
    caller.send(legacy('ACK', ';tag=anothers'));
    await bench.user.acks.next('ACK of another response');
    caller.send(legacy('ACK', ';tag=ours'));
    await pause(30);
    expect(bench.user.acks.all).toHaveLength(1);
    bench.clock.turn(5_000);
    await until(() => bench.front.sizes().invites === 0);
    expect(bench.user.requests.all).toHaveLength(1);
  });
});

describe('RFC 3261 §9.2: CANCEL', () => {
  it('of a ringing INVITE gets 200, and its user hears of it once', async () => {
    const transaction = await ring();
    let cancelled = 0;
    transaction.onCancel = () => {
      cancelled += 1;
      reply(transaction, 487);
    };
    reply(transaction, 180);
    await caller.response();
    caller.send(invite({ method: 'CANCEL' }));
    const answers = [await caller.response(), await caller.response()].map(({ status }) => status);
    expect(answers.sort()).toEqual([200, 487]);
    caller.send(invite({ method: 'CANCEL' }));
    expect((await caller.response()).cseq()).toMatchObject({ value: { method: 'CANCEL' } });
    expect(cancelled).toBe(1);
  });

  it('C06 one that comes while its user still looks somebody up is told when there is somebody to tell', async () => {
    const transaction = await ring();
    caller.send(invite({ method: 'CANCEL' }));
    expect((await caller.response()).cseq()).toMatchObject({ value: { method: 'CANCEL' } });
    const heard: string[] = [];
    for (let i = 0; i < 2; i += 1) transaction.onCancel = (reason) => heard.push(reason);
    expect(heard).toEqual(['']);
    reply(transaction, 487);
    expect((await caller.response()).status).toBe(487);
  });

  it('of nothing gets 481; after a final it changes nothing', async () => {
    caller.send(invite({ method: 'CANCEL' }));
    expect((await caller.response()).status).toBe(481);
    const transaction = await ring();
    transaction.onCancel = () => {
      throw new Error('must not be called');
    };
    reply(transaction, 200);
    await caller.response();
    caller.send(invite({ method: 'CANCEL' }));
    expect((await caller.response()).status).toBe(200);
    expect(bench.front.counters.userErrors).toBe(0);
  });
});
