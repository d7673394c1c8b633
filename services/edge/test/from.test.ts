import { describe, expect, it } from 'vitest';
import type { Aor, PolicySettings } from '@rollcall/location';
import { authorization, draft, FakeStore, nonceOf, settle, world } from './world.ts';
import type { FakeTransaction, World } from './world.ts';

const BOB = 'sip:bob@example.test';
const ASSISTANT = 'sip:desk@example.test' as Aor;

/** An edge with alice, whose other names are a number and `boss`, and whose boss has let her act for them. */
async function office(domain: PolicySettings = { from: 'own' }, own?: PolicySettings): Promise<World> {
  const store = new FakeStore();
  store.domainList.splice(0, 1, { name: 'example.test', aliases: ['example.net'], ...domain });
  const alice = store.addUser('alice', 'secret');
  store.userList.splice(0, 1, {
    ...alice,
    aliases: ['sip:boss@example.test', 'tel:+4930123'] as unknown as Aor[],
    ...(own === undefined ? {} : { policy: own }),
  });
  store.userList.push({ ...store.addUser('chief', 'x'), aliases: [ASSISTANT] });
  store.addUser('bob', 'secret');
  store.grants.set('sip:chief@example.test' as Aor, [alice.aor]);
  return world({}, store);
}

async function send(edge: World, from: string, method = 'MESSAGE', uri = BOB): Promise<FakeTransaction> {
  const proxy = method === 'MESSAGE';
  const change = { method, uri, to: `<${uri}>`, from: `<${from}>`, headers: 'Event: presence\r\n' };
  const { answer } = edge.send(draft(change));
  const nonce = nonceOf(answer);
  const headers = change.headers + authorization({ nonce, method, uri, proxy });
  const transaction = edge.send(draft({ ...change, headers }));
  await settle();
  return transaction;
}

/** The status of alice's MESSAGE to bob, who is away: 480 is that it was let in. */
const status = async (edge: World, from: string): Promise<number> => (await send(edge, from)).answer.status;

describe('From of a user who has proved who they are', () => {
  it('is not looked at, unless a policy wants it', async () => {
    const edge = await office({});
    expect(await status(edge, 'sip:bob@example.test')).toBe(480);
    expect(await status(edge, 'sip:president@elsewhere.test')).toBe(480);
  });

  it.each([
    ['their own address', 'sip:alice@example.test'],
    [
      'by another name of the domain, with a port and a scheme of its own',
      'sips:alice@EXAMPLE.net:5061;transport=tls',
    ],
    ['an alias', 'sip:boss@example.test'],
    ['a number of theirs', 'tel:+49-30-123'],
    ['nobody', 'sip:anonymous@anonymous.invalid'],
    ['whom they have a grant for', 'sip:chief@example.test'],
    ['by that one\u2019s alias', ASSISTANT],
  ])('with `own` may name %s', async (_, from) => {
    expect(await status(await office(), from)).toBe(480);
  });

  it.each([
    ['another user', 'sip:bob@example.test'],
    ['a user who is none', 'sip:nobody@example.test'],
    ['somebody elsewhere', 'sip:alice@elsewhere.test'],
    ['a number of somebody', 'tel:+4930124'],
    ['no address at all', 'sip:example.test'],
  ])('with `own` may not name %s', async (_, from) => {
    const edge = await office();
    const { answer } = await send(edge, from);
    expect([answer.status, answer.reason]).toEqual([403, 'From Is Not Yours']);
    expect(answer.header('warning')).toBe('399 rollcall "From is not sip:alice@example.test"');
    expect(edge.core.counters.refusals.foreignFrom).toBe(1);
    expect(edge.core.senders.asked).toBe(0);
  });

  it('holds for SUBSCRIBE and PUBLISH, not for REGISTER, where the registrar has the word', async () => {
    const edge = await office();
    expect((await send(edge, BOB, 'SUBSCRIBE')).answer.status).toBe(403);
    expect((await send(edge, BOB, 'PUBLISH')).answer.status).toBe(403);
    expect(edge.presence.requests).toHaveLength(0);
    await send(edge, BOB, 'REGISTER', 'sip:example.test');
    expect(edge.registrar.requests).toHaveLength(1);
  });

  it('the user\u2019s own policy goes before the domain\u2019s; without third parties no grant counts', async () => {
    expect(await status(await office({}, { from: 'own' }), BOB)).toBe(403);
    expect(await status(await office({ from: 'own' }, { from: 'any' }), BOB)).toBe(480);
    expect(await status(await office({ from: 'own', thirdParty: false }), 'sip:chief@example.test')).toBe(
      403,
    );
  });

  it('a store that is away is 503, no refusal for good', async () => {
    const edge = await office();
    await status(edge, 'sip:alice@example.test');
    edge.store.away = true;
    const { answer } = await send(edge, 'sip:chief@example.test');
    expect([answer.status, answer.has('retry-after')]).toEqual([503, true]);
  });
});
