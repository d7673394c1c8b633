import { describe, expect, it } from 'vitest';
import { ALGORITHMS } from '@rollcall/digest';
import { FlowTokens } from '@rollcall/location';
import { authorization, draft, EDGE, FakeStore, INNER, nonceOf, SECRET, settle, world } from './world.ts';
import type { AnswerOptions, FakeTransaction, World } from './world.ts';

async function withAlice(change: Parameters<typeof world>[0] = {}): Promise<World> {
  const made = await world(change);
  made.store.addUser('alice', 'secret');
  return made;
}

function challenge(edge: World): string {
  return nonceOf(edge.send(draft()).answer);
}

async function answer(edge: World, change: Partial<AnswerOptions> = {}): Promise<FakeTransaction> {
  const nonce = change.nonce ?? challenge(edge);
  const transaction = edge.send(draft({ headers: authorization({ ...change, nonce }) }));
  await settle();
  return transaction;
}

const isStale = (transaction: FakeTransaction): boolean =>
  (transaction.answer.header('www-authenticate') ?? '').includes('stale=true');

describe('REGISTER without credentials', () => {
  it('R01 gets 401 with one challenge for each algorithm, strongest first, and leaves no state', async () => {
    const edge = await withAlice();
    const transaction = edge.send(draft());
    const { answer: reply } = transaction;
    expect(reply.status).toBe(401);
    const challenges = reply.headers('www-authenticate');
    expect(challenges.map((value) => /algorithm=([A-Z0-9-]+)/.exec(value)?.[1])).toEqual([...ALGORITHMS]);
    for (const value of challenges)
      expect(value).toMatch(/^Digest realm="example\.test", qop="auth", .*nonce="[^"]+"$/);
    expect(new Set(challenges.map((value) => /nonce="([^"]+)"/.exec(value)?.[1])).size).toBe(1);
    expect(reply.to()).toMatchObject({
      ok: true,
      value: { tag: expect.stringMatching(/^[a-z0-9]+$/) as string },
    });
    expect(transaction.answers[0]?.stateless).toBe(true);
    expect(edge.registrar.requests).toHaveLength(0);
    expect(edge.store.lookups).toBe(0);
    expect(edge.core.nonces.counted).toBe(0);
  });

  it('R01 E02 the Via comes back with received and rport', async () => {
    const edge = await withAlice();
    const via = edge.send(draft()).answer.topVia();
    expect(via).toMatchObject({
      ok: true,
      value: { host: '192.0.2.99', received: '192.0.2.1', rport: 5062 },
    });
  });

  it('RFC 3261 §8.2.7 a retransmission gets the same To-tag', async () => {
    const edge = await withAlice();
    const message = draft();
    const tags = [message, message, draft()].map((text) => {
      const to = edge.send(text).answer.to();
      return to.ok ? to.value.tag : undefined;
    });
    expect(tags[0]).toBe(tags[1]);
    expect(tags[0]).not.toBe(tags[2]);
  });

  it('RFC 8760 §2.7 an empty nonce is answered by a challenge', async () => {
    const edge = await withAlice();
    const reply = edge.send(
      draft({
        headers:
          'Authorization: Digest username="alice", realm="example.test", nonce="", uri="sip:example.test", response=""\r\n',
      }),
    );
    expect(reply.answer.status).toBe(401);
  });
});

describe('REGISTER with credentials', () => {
  it('R02 R06 E03 is handed on with Path and identity, spliced, and its answer comes back', async () => {
    for (const algorithm of ALGORITHMS) {
      const edge = await withAlice();
      const transaction = await answer(edge, { algorithm });
      const inner = edge.registrar.only;
      expect(inner.headers('via')).toEqual([
        expect.stringMatching(`^SIP/2\\.0/TCP ${INNER};branch=z9hG4bK`) as string,
        expect.stringMatching(/;received=192\.0\.2\.1;rport=5062/) as string,
      ]);
      expect(inner.maxForwards()).toMatchObject({ value: 69 });
      expect(inner.header('p-asserted-identity')).toBe('<sip:alice@example.test>');
      expect(inner.has('authorization')).toBe(false);
      const path = inner.paths();
      expect(path).toMatchObject({ ok: true, value: [{ uri: { host: '198.51.100.1', port: 5060 } }] });
      const token = /^<sip:([^@]+)@198\.51\.100\.1:5060;lr;ob>$/.exec(inner.header('path') ?? '')?.[1] ?? '';
      expect(new FlowTokens(SECRET).verify(token)).toEqual({
        edge: EDGE.id,
        epoch: EDGE.epoch,
        flow: 'u0-c0000201-5062',
      });
      expect(edge.registrar.requests[0]?.key).toBe('sip:alice@example.test');

      edge.registrar.answer(200, 'Contact: <sip:alice@192.0.2.99:5062>;expires=3600\r\n');
      expect(transaction.answer.status).toBe(200);
      expect(transaction.answer.headers('via')).toHaveLength(1);
      expect(transaction.answer.raw).not.toContain(INNER);
    }
  });

  it('R02 the second time no lookup is made', async () => {
    const edge = await withAlice();
    const nonce = challenge(edge);
    await answer(edge, { nonce });
    await answer(edge, { nonce, nc: '00000002' });
    expect(edge.registrar.requests).toHaveLength(2);
    expect(edge.store.lookups).toBe(1);
  });

  it('R03 a wrong password gets a fresh nonce without stale, is counted, and goes nowhere', async () => {
    const edge = await withAlice();
    const nonce = challenge(edge);
    const transaction = await answer(edge, { nonce, password: 'wrong' });
    expect(transaction.answer.status).toBe(401);
    expect(isStale(transaction)).toBe(false);
    expect(nonceOf(transaction.answer)).not.toBe(nonce);
    expect(edge.core.counters.digest.wrong).toBe(1);
    expect(edge.registrar.requests).toHaveLength(0);
    expect(edge.core.nonces.counted).toBe(0);
  });

  it('R04 a right answer to an old nonce gets stale=true', async () => {
    const edge = await withAlice();
    const nonce = challenge(edge);
    edge.hand.turn(3_600_001);
    const transaction = await answer(edge, { nonce });
    expect(transaction.answer.status).toBe(401);
    expect(isStale(transaction)).toBe(true);
  });

  it('R05 I8 the same answer again, here or at another edge, gets stale=true', async () => {
    const edge = await withAlice();
    const nonce = challenge(edge);
    await answer(edge, { nonce });
    const again = await answer(edge, { nonce });
    expect(again.answer.status).toBe(401);
    expect(isStale(again)).toBe(true);
    const other = await withAlice({ edge: { id: 'edge-2', epoch: 1 } });
    expect(isStale(await answer(other, { nonce }))).toBe(true);
    const restarted = await withAlice({ edge: { id: EDGE.id, epoch: EDGE.epoch + 1 } });
    expect(isStale(await answer(restarted, { nonce }))).toBe(true);
    expect(edge.registrar.requests).toHaveLength(1);
    expect(other.registrar.requests).toHaveLength(0);
  });

  it('R05 a forged nonce never gets stale=true', async () => {
    const edge = await withAlice();
    const transaction = await answer(edge, { nonce: 'a'.repeat(51) });
    expect(transaction.answer.status).toBe(401);
    expect(isStale(transaction)).toBe(false);
  });

  it('R07 the digest uri must name what the Request-URI names', async () => {
    const edge = await withAlice();
    expect((await answer(edge, { uri: 'sip:other.test' })).answer.status).toBe(400);
    expect((await answer(edge, { uri: 'nonsense' })).answer.status).toBe(400);
    await answer(edge, { uri: 'sip:EXAMPLE.test' });
    expect(edge.registrar.requests).toHaveLength(1);
  });

  it('E17 P21 by a switch any uri of a served domain will do', async () => {
    const edge = await withAlice({ digest: { allowRfc2069: true, digestUri: 'served' } });
    await answer(edge, { uri: 'sip:other.test:5080' });
    expect(edge.registrar.requests).toHaveLength(1);
    expect((await answer(edge, { uri: 'sip:elsewhere.test' })).answer.status).toBe(400);
  });

  it('R07 unknown qop and missing cnonce are bad requests', async () => {
    const edge = await withAlice();
    for (const replace of [{ qop: 'auth-int' }, { cnonce: undefined }, { nc: 'xyz' }]) {
      expect((await answer(edge, { replace })).answer.status).toBe(400);
    }
    expect(edge.registrar.requests).toHaveLength(0);
  });

  it('R07 of several credentials the one for our realm is taken', async () => {
    const edge = await withAlice();
    const nonce = challenge(edge);
    const foreign = authorization({ nonce: 'x', realm: 'elsewhere.test', password: 'other' });
    edge.send(draft({ headers: foreign + authorization({ nonce }) }));
    await settle();
    expect(edge.registrar.requests).toHaveLength(1);
    expect(edge.send(draft({ headers: foreign })).answer.status).toBe(401);
  });

  it('E17 P18 an Authorization that does not end is a bad request', async () => {
    const edge = await withAlice();
    expect(
      edge.send(draft({ headers: 'Authorization: Digest username="alice, realm="x\r\n' })).answer.status,
    ).toBe(400);
  });

  it('E17 P1 an RFC 2069 answer is taken once for its nonce, and refused by a switch', async () => {
    const legacy = { qop: undefined, cnonce: undefined, nc: '"00000001"' };
    const edge = await withAlice();
    const nonce = challenge(edge);
    const h = (await import('@rollcall/digest')).hashOctets;
    const ha1 = h('MD5', 'alice:example.test:secret');
    const response = `"${h('MD5', `${ha1}:${nonce}:${h('MD5', 'REGISTER:sip:example.test')}`)}"`;
    await answer(edge, { nonce, replace: { ...legacy, response } });
    expect(edge.registrar.requests).toHaveLength(1);
    expect(isStale(await answer(edge, { nonce, replace: { ...legacy, response } }))).toBe(true);
    const strict = await withAlice({ digest: { allowRfc2069: false, digestUri: 'equivalent' } });
    expect((await answer(strict, { replace: { ...legacy, response } })).answer.status).toBe(400);
  });

  it('R10 an unknown user is answered like a wrong password, octet for octet in length', async () => {
    const edge = await withAlice();
    const shape = (transaction: FakeTransaction): unknown => ({
      status: transaction.answer.status,
      names: transaction.answer.lines.map(({ name }) => name),
      // What the request brought along differs in this test.
      size: transaction.answer.raw.replace(/c\d+@test/, '').replace(/z9hG4bKt\d+/, '').length,
    });
    const wrong = await answer(edge, { password: 'wrong' });
    const unknown = await answer(edge, { username: 'nobod', password: 'wrong' });
    expect(shape(unknown)).toEqual(shape(wrong));
  });

  it('R10 a disabled user is an unknown one', async () => {
    const edge = await world();
    const alice = edge.store.addUser('alice', 'secret');
    edge.store.userList[0] = { ...alice, enabled: false };
    expect((await answer(edge)).answer.status).toBe(401);
  });

  it('R11 a domain that is not ours is refused, whatever the To', async () => {
    const edge = await withAlice();
    expect(edge.send(draft({ uri: 'sip:elsewhere.test' })).answer.status).toBe(403);
  });

  it('R13 the domain is found in any case and by its aliases', async () => {
    const edge = await withAlice();
    for (const uri of ['sip:EXAMPLE.TEST', 'sip:example.alias']) {
      expect(edge.send(draft({ uri })).answer.header('www-authenticate')).toContain('realm="example.test"');
    }
  });

  it('R12 Require is left to the registrar, Proxy-Require is ours', async () => {
    const edge = await withAlice();
    const nonce = challenge(edge);
    edge.send(draft({ headers: `Require: foo\r\n${authorization({ nonce })}` }));
    await settle();
    expect(edge.registrar.only.header('require')).toBe('foo');
    const refused = edge.send(draft({ headers: 'Proxy-Require: foo, bar\r\n' })).answer;
    expect([refused.status, refused.header('unsupported')]).toEqual([420, 'foo, bar']);
  });

  it('C10 Max-Forwards 0 is not forwarded', async () => {
    const edge = await withAlice();
    expect(edge.send(draft({ maxForwards: 0 })).answer.status).toBe(483);
  });
});

describe('the trust boundary', () => {
  it('E14 nothing that only we may say comes from outside, in whatever spelling', async () => {
    const edge = await withAlice();
    const nonce = challenge(edge);
    const smuggled =
      'P-Asserted-Identity: <sip:bob@example.test>\r\nP-ASSERTED-IDENTITY : <sip:bob@example.test>\r\nP-Preferred-Identity: <sip:bob@example.test>\r\n' +
      'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nTraceState:x=1\r\nX-Rollcall-Source: evil\r\nx-rollcall-anything\t: evil\r\n' +
      'Path: <sip:edge-9~a~t1~AAAAAAAAAAAAAAAA@198.51.100.9;lr;ob>\r\nX-Other: kept\r\n';
    edge.send(draft({ headers: smuggled + authorization({ nonce }) }));
    await settle();
    const inner = edge.registrar.only;
    expect(inner.headers('p-asserted-identity')).toEqual(['<sip:alice@example.test>']);
    expect(inner.headers('path')).toHaveLength(1);
    expect(inner.raw).not.toMatch(/edge-9|evil|traceparent|tracestate|bob/i);
    expect(inner.header('x-other')).toBe('kept');
  });
});

describe('when something is away', () => {
  it('B21 K08 the store: 503 with Retry-After, never 401 or 403', async () => {
    const edge = await withAlice();
    const nonce = challenge(edge);
    edge.store.away = true;
    const { answer: reply } = await answer(edge, { nonce });
    expect(reply.status).toBe(503);
    expect(Number(reply.header('retry-after'))).toBeGreaterThan(0);
    edge.store.away = false;
    await answer(edge, { nonce });
    expect(edge.registrar.requests).toHaveLength(1);
  });

  it('B21 the store from the start: 503 until the domains have been read', async () => {
    const store = new FakeStore();
    store.away = true;
    const edge = await world({}, store);
    expect(edge.send(draft()).answer.status).toBe(503);
    edge.core.stop();
  });

  it('B21 the registrar: 503 with Retry-After', async () => {
    for (const kind of ['unavailable', 'timeout'] as const) {
      const edge = await withAlice();
      const transaction = await answer(edge);
      edge.registrar.requests[0]?.done({ kind });
      expect(transaction.answer.status).toBe(503);
      expect(transaction.answer.has('retry-after')).toBe(true);
    }
  });

  it('E12 while it drains: 503 with Retry-After', async () => {
    const edge = await withAlice();
    edge.core.onRequest.draining = true;
    expect(edge.send(draft()).answer.status).toBe(503);
  });
});

describe('the cache of users', () => {
  it('A05 forgets a user that changed, and an unknown one that came to be', async () => {
    const edge = await world();
    expect((await answer(edge)).answer.status).toBe(401);
    edge.store.addUser('alice', 'secret');
    expect((await answer(edge)).answer.status).toBe(401);
    const alice = edge.store.userList[0];
    edge.store.changed(alice?.aor);
    await answer(edge);
    expect(edge.registrar.requests).toHaveLength(1);
    edge.store.userList.length = 0;
    edge.store.changed(alice?.aor);
    expect((await answer(edge)).answer.status).toBe(401);
  });

  it('A05 forgets all when the link to the store was lost', async () => {
    const edge = await withAlice();
    await answer(edge);
    edge.store.changed(undefined);
    await answer(edge);
    expect(edge.store.lookups).toBe(2);
  });

  it('F09 asks the store once for all who wait', async () => {
    const edge = await withAlice();
    const nonces = [challenge(edge), challenge(edge), challenge(edge)];
    for (const nonce of nonces) edge.send(draft({ headers: authorization({ nonce }) }));
    await settle();
    expect(edge.registrar.requests).toHaveLength(3);
    expect(edge.store.lookups).toBe(1);
  });
});

describe('A05 the policy of a domain and of a user, at the edge', () => {
  it('R06 only the algorithms of the domain are offered, and only they are taken', async () => {
    const store = new FakeStore();
    store.domainList[0] = { name: 'example.test', algorithms: ['SHA-256'] };
    store.addUser('alice', 'secret');
    const edge = await world({}, store);
    const challenges = edge.send(draft()).answer.headers('www-authenticate');
    expect(challenges.map((value) => /algorithm=([A-Z0-9-]+)/.exec(value)?.[1])).toEqual(['SHA-256']);
    expect((await answer(edge, { algorithm: 'MD5' })).answer.status).toBe(401);
    expect(edge.registrar.requests).toHaveLength(0);
    await answer(edge, { algorithm: 'SHA-256' });
    expect(edge.registrar.requests).toHaveLength(1);
  });

  it('R06 an algorithm that the user may not use is a wrong answer', async () => {
    const edge = await world();
    const alice = edge.store.addUser('alice', 'secret');
    edge.store.userList[0] = { ...alice, policy: { algorithms: ['SHA-512-256'] } };
    expect((await answer(edge, { algorithm: 'MD5' })).answer.status).toBe(401);
    await answer(edge, { algorithm: 'SHA-512-256' });
    expect(edge.registrar.requests).toHaveLength(1);
  });

  it("E14 the user's policy goes to the registrar in one line, and nobody else can write it", async () => {
    const edge = await world();
    const alice = edge.store.addUser('alice', 'secret');
    const forged = 'X-Rollcall-Policy: {"maxContacts":1000}\r\n';
    const send = async (): Promise<void> => {
      edge.send(draft({ headers: forged + authorization({ nonce: challenge(edge) }) }));
      await settle();
    };
    await send();
    expect(edge.registrar.only.has('x-rollcall-policy')).toBe(false);
    edge.store.userList[0] = { ...alice, policy: { maxContacts: 1, transports: ['tls'] } };
    edge.store.changed(alice.aor);
    await send();
    const line = edge.registrar.requests[1]?.request.headers('x-rollcall-policy');
    expect(line).toEqual(['{"maxContacts":1,"transports":["tls"]}']);
  });
});
