import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import type { Aor, Webhook } from '@rollcall/location';
import { MemoryLocation, MemoryWebhooks } from '@rollcall/location';
import { noLogger } from '@rollcall/telemetry';
import { eventually } from '@rollcall/testkit';
import { isInside } from '../src/webhooks/addresses.ts';
import { COURIER_LIMITS } from '../src/webhooks/courier.ts';
import { WebhookDispatcher } from '../src/webhooks/dispatcher.ts';
import { createSender, signatureOf } from '../src/webhooks/sender.ts';
import { binding, harness } from './harness.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver that answers what `answer` says of each body. */
async function receiver(answer: (body: string, seen: number) => number = () => 204) {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      received.push({ headers: request.headers, body });
      response.writeHead(answer(body, received.length)).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  const { port } = server.address() as AddressInfo;
  const kinds = (): string[] => received.map(({ body }) => (JSON.parse(body) as { kind: string }).kind);
  return { url: `http://127.0.0.1:${String(port)}/hook`, received, kinds };
}

const clock = { now: () => epochMs(Date.now()) };
const alice = 'sip:alice@example.test' as Aor;
const bob = 'sip:bob@other.test' as Aor;

async function world(url: string, facts: Partial<Webhook> = {}) {
  const location = new MemoryLocation(clock);
  const webhooks = new MemoryWebhooks(clock);
  const hook: Webhook = { id: 'h', url, secret: 'a secret', enabled: true, createdAt: clock.now(), ...facts };
  await webhooks.put(hook);
  const dispatcher = (): WebhookDispatcher => {
    const made = new WebhookDispatcher({
      ...{ webhooks, watcher: location, send: createSender(true), log: noLogger, everyMs: 20 },
      limits: { ...COURIER_LIMITS, attempts: 4, firstPauseMs: 5, longestPauseMs: 20 },
    });
    closing.push(() => made.stop());
    made.start();
    return made;
  };
  const change = async (aor: Aor, kind: 'registered' | 'unregistered', id = 'b1'): Promise<void> => {
    const one = binding(id);
    const { version, bindings } = await location.read(aor);
    const rest = bindings.filter((other) => other.id !== one.id);
    const outcome = await location.commit({
      ...{ aor, expectedVersion: version, changes: [{ kind, binding: one }] },
      bindings: kind === 'registered' ? [...rest, one] : rest,
    });
    expect(outcome.kind).toBe('committed');
  };
  return { location, webhooks, dispatcher, change };
}

describe('A09 webhooks', () => {
  test('A09 post each change, signed, in order for each AoR', async () => {
    const { url, received, kinds } = await receiver();
    const { dispatcher, change, webhooks } = await world(url);
    const running = dispatcher();
    await eventually('the watch', async () => (await webhooks.position('h')) !== undefined);
    for (let n = 0; n < 5; n += 1) {
      await change(alice, 'registered');
      await change(alice, 'unregistered');
    }
    await eventually('ten deliveries', () => received.length === 10 && running.counters.taken === 10);
    expect(kinds()).toEqual(
      Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? 'registered' : 'unregistered')),
    );
    const [first] = received;
    const timestamp = String(first?.headers['rollcall-timestamp']);
    expect(first?.headers['rollcall-signature']).toBe(signatureOf('a secret', timestamp, first?.body ?? ''));
    expect(JSON.parse(first?.body ?? '')).toMatchObject({ kind: 'registered', aor: alice, binding: 'b1' });
    expect(new Set(received.map(({ headers }) => headers['rollcall-event-id'])).size).toBe(10);
    expect(running.counters).toMatchObject({ taken: 10, retried: 0, buried: 0 });
  });

  test('A09 only the kinds and the domain that are wanted', async () => {
    const { url, received, kinds } = await receiver();
    const { dispatcher, change, webhooks } = await world(url, {
      kinds: ['unregistered'],
      domain: 'other.test',
    });
    dispatcher();
    await eventually('the watch', async () => (await webhooks.position('h')) !== undefined);
    for (const aor of [alice, bob]) {
      await change(aor, 'registered');
      await change(aor, 'unregistered');
    }
    await eventually('one delivery', () => received.length === 1);
    expect(kinds()).toEqual(['unregistered']);
    expect(JSON.parse(received[0]?.body ?? '')).toMatchObject({ aor: bob });
  });

  test('A09 a receiver that fails is tried again; later events of the AoR wait for it', async () => {
    const { url, kinds, received } = await receiver((_, seen) => (seen <= 2 ? 503 : 200));
    const { dispatcher, change, webhooks } = await world(url);
    dispatcher();
    await eventually('the watch', async () => (await webhooks.position('h')) !== undefined);
    await change(alice, 'registered');
    await change(alice, 'unregistered');
    await eventually('four deliveries', () => received.length === 4);
    expect(kinds()).toEqual(['registered', 'registered', 'registered', 'unregistered']);
    const ids = received.map(({ headers }) => headers['rollcall-event-id']);
    expect(new Set(ids.slice(0, 3)).size).toBe(1);
  });

  test('A09 what is refused, or failed too often, is a dead letter and holds nothing up', async () => {
    const { url, received } = await receiver((body) =>
      body.includes('unregistered') ? 200 : body.includes('other') ? 400 : 500,
    );
    const { dispatcher, change, webhooks } = await world(url);
    const running = dispatcher();
    await eventually('the watch', async () => (await webhooks.position('h')) !== undefined);
    await change(alice, 'registered');
    await change(alice, 'unregistered');
    await change(bob, 'registered');
    await eventually('both given up', () => running.counters.buried === 2 && running.counters.taken === 1);
    const { items } = await webhooks.deadLetters('h', undefined, 10);
    expect(items.map(({ reason, attempts }) => [reason, attempts]).sort()).toEqual([
      ['status 400', 1],
      ['status 500', 4],
    ]);
    expect(received).toHaveLength(6);
  });

  test('A09 another replica goes on where the first ended: none lost', async () => {
    const { url, received } = await receiver();
    const { dispatcher, change, webhooks } = await world(url);
    const [first, second] = [dispatcher(), dispatcher()];
    await eventually('one of them', () => first.running + second.running === 1);
    await eventually('the watch', async () => (await webhooks.position('h')) !== undefined);
    await change(alice, 'registered');
    await eventually('the first delivery', () => received.length === 1);
    const [holder, other] = first.running === 1 ? [first, second] : [second, first];
    await holder.stop();
    await change(alice, 'unregistered');
    await eventually('the other one', () => other.running === 1);
    await eventually('the second delivery', () => received.length === 2);
  });

  test('A09 ADM nothing is posted to addresses inside unless that is allowed', async () => {
    const { url, received } = await receiver();
    const outside = createSender(false);
    const parcel = { secret: 's', eventId: '1', at: 0, body: '{}' };
    expect(await outside({ ...parcel, url })).toEqual({ kind: 'refused', reason: 'the address is inside' });
    const named = url.replace('127.0.0.1', 'localhost');
    expect(await outside({ ...parcel, url: named })).toEqual({
      kind: 'refused',
      reason: 'the address is inside',
    });
    expect(received).toEqual([]);
    for (const address of ['10.1.2.3', '169.254.169.254', '::1', 'fd00::1', '::ffff:127.0.0.1', '100.64.0.1'])
      expect([address, isInside(address)]).toEqual([address, true]);
    for (const address of ['192.0.2.1', '2001:db8::1', '8.8.8.8'])
      expect([address, isInside(address)]).toEqual([address, false]);
  });
});

describe('A09 webhooks over REST', () => {
  test('A09 A07 are made, listed, changed and deleted; the secret is shown once', async () => {
    const { call } = await harness();
    const made = await call('POST', '/v1/webhooks', {
      body: { url: 'https://pbx.example.test/x', kinds: ['expired'] },
    });
    expect(made.status).toBe(201);
    const { id, secret } = made.json as { id: string; secret: string };
    expect(secret.length).toBeGreaterThan(40);
    const list = await call('GET', '/v1/webhooks');
    expect(list.json).toMatchObject({ items: [{ id, kinds: ['expired'], enabled: true }] });
    expect(list.text).not.toContain(secret);
    const changed = await call('PUT', `/v1/webhooks/${id}`, {
      body: { url: 'https://b.example.test/', enabled: false },
    });
    expect(changed.json).toMatchObject({ id, url: 'https://b.example.test/', enabled: false });
    expect((await call('GET', `/v1/webhooks/${id}/dead-letters`)).json).toEqual({ items: [] });
    expect((await call('DELETE', `/v1/webhooks/${id}`)).status).toBe(204);
    expect((await call('DELETE', `/v1/webhooks/${id}`)).status).toBe(404);
  });

  test('A09 what changes after the 201 is posted, however late somebody delivers', async () => {
    const webhooks = new MemoryWebhooks(clock);
    const { call, register, location } = await harness({ ports: { webhooks } });
    await register(alice, [binding('b0')]);
    expect((await call('POST', '/v1/webhooks', { body: { url: 'https://a.test/' } })).status).toBe(201);
    await register(alice, [binding('b1')]);
    const posted: string[] = [];
    const dispatcher = new WebhookDispatcher({
      ...{ webhooks, watcher: location, log: noLogger, everyMs: 20 },
      send: ({ body }) => {
        posted.push((JSON.parse(body) as { binding: string }).binding);
        return Promise.resolve({ kind: 'taken' });
      },
    });
    closing.push(() => dispatcher.stop());
    dispatcher.start();
    await eventually('the change is posted', () => posted.length > 0);
    expect(posted).toEqual(['b1']);
  });

  test('A09 ADM a URL that is none, is no web, carries a password or leads inside is refused', async () => {
    const { call } = await harness();
    for (const url of [
      'x',
      'ftp://a.test/',
      'https://u:p@a.test/',
      'http://127.0.0.1/',
      'http://[::1]/',
      'http://localhost/',
      'http://169.254.169.254/latest',
    ])
      expect([url, (await call('POST', '/v1/webhooks', { body: { url } })).status]).toEqual([url, 400]);
  });

  test('A09 A07 a token that is bound to a domain sees and makes webhooks of that domain alone', async () => {
    const { call } = await harness();
    const body = { name: 'tenant', scope: 'write', domains: ['other.test'] };
    const { token } = (await call('POST', '/v1/tokens', { body })).json as { token: string };
    const url = 'https://pbx.example.test/x';
    const all = (await call('POST', '/v1/webhooks', { body: { url } })).json as { id: string };
    expect((await call('POST', '/v1/webhooks', { token, body: { url } })).status).toBe(400);
    expect(
      (await call('POST', '/v1/webhooks', { token, body: { url, domain: 'example.test' } })).status,
    ).toBe(404);
    const made = await call('POST', '/v1/webhooks', { token, body: { url, domain: 'Other.Test' } });
    const own = made.json as { id: string };
    expect((await call('GET', '/v1/webhooks', { token })).json).toMatchObject({ items: [{ id: own.id }] });
    expect((await call('DELETE', `/v1/webhooks/${all.id}`, { token })).status).toBe(404);
  });
});
