import { describe, expect, test } from 'vitest';
import type { Aor } from '@rollcall/location';
import { World, alice, bob, shown, tagOf } from './harness/world.ts';
import type { SentNotify, SubscribeOptions } from './harness/world.ts';

const friends = 'sip:list-friends@example.test' as Aor;
const entry = (n: number): Aor => `sip:friend${String(n)}@example.test` as Aor;

const LISTS: SubscribeOptions = {
  to: 'list-friends',
  headers: 'Supported: eventlist\r\n',
  accept: 'multipart/related, application/rlmi+xml, application/pidf+xml',
};

const listOf = (count: number) => ({
  entries: Array.from({ length: count }, (_, n) => ({ uri: entry(n), name: `Friend ${String(n)}` })),
});

interface Told {
  readonly version: number;
  readonly full: boolean;
  readonly resources: readonly {
    readonly uri: string;
    readonly state: string;
    readonly basic: string | undefined;
  }[];
}

/** Reads a NOTIFY as a list subscriber does (RFC 4662 §5): the root first, then each part that an instance names. */
function told(notify: SentNotify): Told {
  const { request } = notify;
  const type = request.header('content-type') ?? '';
  const boundary = /boundary="([^"]+)"/.exec(type)?.[1] ?? '';
  expect(type).toContain('type="application/rlmi+xml"');
  const parts = new Map<string, string>();
  const pieces = request.body.split(`--${boundary}`);
  expect(pieces[0]).toBe('');
  expect(pieces.at(-1)).toBe('--\r\n');
  for (const piece of pieces.slice(1, -1)) {
    const end = piece.indexOf('\r\n\r\n');
    const cid = /Content-ID: <([^>]+)>/.exec(piece.slice(0, end))?.[1] ?? '';
    parts.set(cid, piece.slice(end + 4));
  }
  const start = /start="<([^>]+)>"/.exec(type)?.[1] ?? '';
  expect([...parts.keys()][0]).toBe(start);
  const rlmi = parts.get(start) ?? '';
  const resources = [...rlmi.matchAll(/<resource uri="([^"]+)">(.*?)<\/resource>/g)].map(
    ([, uri = '', inner = '']) => {
      const cid = /cid="([^"]+)"/.exec(inner)?.[1];
      const state = /state="(\w+)"(?: reason="(\w+)")?/.exec(inner);
      const basic = cid === undefined ? undefined : /<basic>(\w+)/.exec(parts.get(cid) ?? '')?.[1];
      if (state?.[1] === 'active') expect(parts.has(cid ?? '')).toBe(true);
      return { uri, state: [state?.[1], state?.[2]].filter(Boolean).join(' '), basic };
    },
  );
  expect(parts.size - 1).toBe(resources.filter(({ state }) => state === 'active').length);
  return {
    version: Number(/version="(\d+)" fullState/.exec(rlmi)?.[1]),
    full: /fullState="true"/.test(rlmi),
    resources,
  };
}

describe('S20 resource lists, RFC 4662', () => {
  test('without Supported: eventlist 421; with it Require: eventlist and all 50 entries in one NOTIFY', async () => {
    const world = new World();
    await world.events.putList(friends, listOf(50));
    await world.register('registered', {}, entry(7));
    const refused = await world.subscribe({ to: 'list-friends' });
    expect([refused.status, refused.header('require')]).toEqual([421, 'eventlist']);
    expect(world.notifies).toEqual([]);
    const response = await world.subscribe(LISTS);
    expect([response.status, response.header('require')]).toEqual([200, 'eventlist']);
    expect(world.notifies).toHaveLength(1);
    expect(world.last.request.header('require')).toBe('eventlist');
    const { version, full, resources } = told(world.last);
    expect([version, full, resources.length]).toEqual([0, true, 50]);
    expect(resources[7]).toEqual({ uri: entry(7), state: 'active', basic: 'open' });
    expect(resources[8]).toEqual({ uri: entry(8), state: 'active', basic: 'closed' });
  });

  test('one entry changes: one NOTIFY with that entry alone, through any replica', async () => {
    const world = new World(2);
    await world.events.putList(friends, listOf(50));
    await world.subscribe(LISTS, 0);
    await world.register('registered', {}, entry(3), 1);
    expect(world.notifies).toHaveLength(2);
    expect(told(world.last)).toEqual({
      version: 1,
      full: false,
      resources: [{ uri: entry(3), state: 'active', basic: 'open' }],
    });
    await world.publish(
      `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${entry(4)}"><tuple id="t"><status><basic>open</basic></status></tuple></presence>`,
      { as: 'friend4', to: 'friend4', replica: 1 },
    );
    expect(told(world.last).resources.map(({ uri }) => uri)).toEqual([entry(4)]);
    const cseqs = world.notifies.map((notify) => shown(notify).cseq);
    expect(cseqs).toEqual(cseqs.map((_, n) => cseqs[0]! + n));
  });

  test('changes while one is in flight are told together, each entry once, none twice', async () => {
    const world = new World(2);
    world.autoAnswer = undefined;
    await world.events.putList(friends, listOf(10));
    await world.subscribe(LISTS);
    for (const n of [1, 2, 3]) await world.register('registered', {}, entry(n), n % 2);
    expect(world.notifies).toHaveLength(1);
    world.last.status(200);
    await world.settle();
    expect(world.notifies).toHaveLength(2);
    expect(told(world.last).resources.map(({ uri }) => uri)).toEqual([entry(1), entry(2), entry(3)]);
    world.last.status(200);
    await world.settle();
    expect(world.notifies).toHaveLength(2);
  });

  test('a NOTIFY that failed is followed by the full state; so is a refresh', async () => {
    const world = new World();
    await world.events.putList(friends, listOf(5));
    const toTag = tagOf(await world.subscribe(LISTS));
    world.autoAnswer = 503;
    await world.register('registered', {}, entry(1));
    expect(told(world.last).full).toBe(false);
    world.autoAnswer = 200;
    await world.pass(3_000);
    expect(told(world.last)).toMatchObject({ version: 2, full: true });
    await world.subscribe({ ...LISTS, toTag, cseq: 2 });
    expect(told(world.last)).toMatchObject({ version: 3, full: true });
  });

  test('entries by the rules of each: allowed, confirmed first, politely blocked, blocked, unknown', async () => {
    const world = new World();
    const entries = [0, 1, 2, 3].map((n) => ({ uri: entry(n) }));
    await world.events.putList(friends, { entries: [...entries, { uri: 'sip:nobody@example.test' as Aor }] });
    for (const { uri } of entries) await world.register('registered', {}, uri);
    for (const [n, action] of (['allow', 'confirm', 'polite-block', 'block'] as const).entries()) {
      await world.events.putRules(entry(n), [{ watcher: alice, action }]);
    }
    await world.subscribe(LISTS);
    const states = told(world.last).resources.map(({ state, basic }) => [state, basic]);
    expect(states).toEqual([
      ['active', 'open'],
      ['pending', undefined],
      ['active', 'closed'],
      ['terminated rejected', undefined],
      ['terminated noresource', undefined],
    ]);
    await world.events.putRules(entry(1), []);
    await world.work();
    expect(told(world.last)).toMatchObject({
      full: false,
      resources: [{ uri: entry(1), state: 'active', basic: 'open' }],
    });
  });

  test('the list is edited: full state of the new one, whose entries are watched; it is removed: noresource', async () => {
    const world = new World(2);
    await world.events.putList(friends, listOf(2));
    await world.subscribe(LISTS);
    await world.events.putList(friends, { entries: [{ uri: bob }] });
    await world.work(1);
    expect(told(world.last)).toMatchObject({
      version: 1,
      full: true,
      resources: [{ uri: bob, basic: 'closed' }],
    });
    await world.register('registered', {}, bob, 1);
    expect(told(world.last)).toMatchObject({ full: false, resources: [{ uri: bob, basic: 'open' }] });
    const before = world.notifies.length;
    await world.register('registered', {}, entry(0));
    expect(world.notifies).toHaveLength(before);
    await world.events.removeList(friends);
    await world.work();
    expect(shown(world.last).state).toBe('terminated;reason=noresource');
    expect(await world.events.watchers(friends)).toEqual([]);
  });

  test('a list of whom it names only: others get 403; a fetch leaves nothing behind', async () => {
    const world = new World();
    await world.events.putList(friends, { ...listOf(2), watchers: [bob] });
    expect((await world.subscribe(LISTS)).status).toBe(403);
    await world.subscribe({ ...LISTS, as: 'bob', expires: 0 });
    expect(shown(world.last).state).toBe('terminated;reason=timeout');
    expect(told(world.last).resources).toHaveLength(2);
    expect(await world.events.watchers(entry(0))).toEqual([]);
  });

  test('it ends: nobody is told any more, and the entries are watched no longer', async () => {
    const world = new World();
    await world.events.putList(friends, listOf(3));
    const toTag = tagOf(await world.subscribe(LISTS));
    expect(await world.events.watchers(entry(0))).toEqual([toTag]);
    await world.subscribe({ ...LISTS, toTag, cseq: 2, expires: 0 });
    const before = world.notifies.length;
    await world.register('registered', {}, entry(0));
    expect(world.notifies).toHaveLength(before);
    expect(await world.events.watchers(entry(0))).toEqual([]);
  });
});

describe('S20 lists in the SUBSCRIBE itself, RFC 5367', () => {
  const body = (uris: readonly string[]): string =>
    `<?xml version="1.0"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>${uris
      .map((uri) => `<entry uri="${uri}"/>`)
      .join('')}</list></resource-lists>`;
  const adhoc = (uris: readonly string[]): SubscribeOptions => ({
    to: 'list-server',
    accept: 'multipart/related, application/rlmi+xml, application/pidf+xml',
    headers:
      'Supported: eventlist\r\nRequire: recipient-list-subscribe\r\nContent-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n',
    body: body(uris),
  });

  test('the entries of the body are watched; a refresh keeps them; a body in the refresh is 415', async () => {
    const world = new World(2);
    const options = adhoc([bob, entry(1), bob]);
    const response = await world.subscribe(options);
    expect([response.status, response.header('require')]).toEqual([200, 'eventlist']);
    expect(told(world.last).resources.map(({ uri }) => uri)).toEqual([bob, entry(1)]);
    await world.register('registered', {}, bob, 1);
    expect(told(world.last).resources).toEqual([{ uri: bob, state: 'active', basic: 'open' }]);
    const toTag = tagOf(response);
    const again: SubscribeOptions = { ...LISTS, to: 'list-server', toTag, cseq: 2 };
    expect((await world.subscribe({ ...options, toTag, cseq: 3 })).status).toBe(415);
    expect((await world.subscribe(again, 1)).status).toBe(200);
    expect(told(world.last)).toMatchObject({ full: true, version: 2 });
    expect(told(world.last).resources).toHaveLength(2);
  });

  test('S26 what is no list, too long, or of another type: 400, 413, 415, and nothing is sent', async () => {
    const world = new World();
    const options = adhoc([bob]);
    const status = async (change: SubscribeOptions) =>
      (await world.subscribe({ ...options, ...change })).status;
    expect(await status({ body: '<!DOCTYPE x><resource-lists/>' })).toBe(400);
    expect(await status({ body: body(Array.from({ length: 101 }, (_, n) => entry(n))) })).toBe(413);
    expect(await status({ headers: (options.headers ?? '').replace('resource-lists', 'other') })).toBe(415);
    expect(await status({ body: '' })).toBe(415);
    expect(world.notifies).toEqual([]);
  });
});
