import { request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Aor, LocationWatcher } from '@rollcall/location';
import { listenApi } from '@rollcall/http/api';
import { SharedWatcher } from '../src/events/shared-watcher.ts';
import type { Harness } from './harness.ts';
import { binding, harness, ROOT } from './harness.ts';

interface Seen {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** A client of the stream: what an EventSource does with its bytes (HTML §9.2.6). */
class Client {
  readonly seen: Seen[] = [];
  lastId: string | undefined;
  closed = false;
  raw = '';
  #rest = '';

  constructor(
    readonly response: IncomingMessage,
    private readonly asking: ClientRequest,
  ) {
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      this.#take(chunk);
    });
    response.on('close', () => (this.closed = true));
    response.on('error', () => (this.closed = true));
  }

  close(): void {
    this.asking.destroy();
  }

  #take(chunk: string): void {
    this.raw += chunk;
    const blocks = (this.#rest + chunk).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(
        block
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      this.lastId = fields.get('id') ?? this.lastId;
      const data = fields.get('data');
      if (data === undefined) continue;
      this.seen.push({
        id: fields.get('id'),
        event: fields.get('event') ?? '',
        data: JSON.parse(data) as Seen['data'],
      });
    }
  }
}

let admin: Harness | undefined;
const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await admin?.app.close();
  admin = undefined;
});

async function start(given: Parameters<typeof harness>[0] = {}): Promise<{ admin: Harness; port: number }> {
  admin = await harness(given);
  return { admin, port: await listenApi(admin.app, '127.0.0.1', 0) };
}

function connect(port: number, query = '', lastEventId?: string, token = ROOT): Promise<Client> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    };
    const asking = request({ host: '127.0.0.1', port, path: `/v1/events${query}`, headers }, (response) => {
      const client = new Client(response, asking);
      clients.push(client);
      resolve(client);
    });
    asking.on('error', reject);
    asking.end();
  });
}

const AOR = 'sip:alice@example.test';
const ids = (client: Client): unknown[] => client.seen.map(({ data }) => data['binding']);
const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 3_000, interval: 5 });

describe('A06 GET /v1/events', () => {
  it('A06 tells each change with its position, as text', async () => {
    const { admin: host, port } = await start();
    const client = await connect(port);
    expect(client.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(client.response.headers['cache-control']).toBe('no-store');
    await host.register(AOR, [binding('b1', { contact: 'sip:x\r\ndata: {"forged":1}\r\n\r\n@h' })]);
    await until(() => client.seen.length === 1);
    expect(client.seen).toEqual([
      {
        id: '1',
        event: 'registered',
        data: {
          at: '2026-01-31T12:00:00.000Z',
          kind: 'registered',
          aor: AOR,
          binding: 'b1',
          contact: 'sip:x\\x0d\\x0adata: {"forged":1}\\x0d\\x0a\\x0d\\x0a@h',
        },
      },
    ]);
  });

  it('A06 a stream has a position before its first event: a client that is cut off by then misses nothing', async () => {
    const { admin: host, port } = await start();
    await host.register(AOR, [binding('before')]);
    const first = await connect(port);
    await until(() => first.lastId !== undefined);
    expect(first.seen).toEqual([]);
    first.close();
    await until(() => host.streams.size === 0);
    await host.register(AOR, [binding('missed')]);
    const again = await connect(port, '', first.lastId);
    await host.register(AOR, [binding('live')]);
    await until(() => again.seen.length === 2);
    expect(ids(again)).toEqual(['missed', 'live']);
  });

  it('A06 Last-Event-ID resumes: none lost, none twice', async () => {
    const { admin: host, port } = await start();
    const first = await connect(port);
    const all: string[] = [];
    const add = async (id: string): Promise<void> => {
      all.push(id);
      await host.register(AOR, [binding(id)]);
    };
    await add('b1');
    await add('b2');
    await until(() => first.seen.length === 2);
    first.close();
    await add('b3');
    await add('b4');
    const second = await connect(port, '', first.lastId);
    await add('b5');
    await until(() => second.seen.length >= 3);
    expect([...ids(first), ...ids(second)]).toEqual(all);
  });

  it('A06 a position that the stream no longer holds is 410, one that is none 400', async () => {
    const { admin: host, port } = await start({ events: 1 });
    for (const id of ['b1', 'b2', 'b3', 'b4']) await host.register(AOR, [binding(id)]);
    const old = await connect(port, '', '1');
    expect(old.response.statusCode).toBe(410);
    expect(old.response.headers['content-type']).toContain('application/problem+json');
    expect((await connect(port, '', 'x'.repeat(9_000))).response.statusCode).toBe(400);
    expect(host.streams.size).toBe(0);
  });

  it('A06 filters by domain, AoR and kind; a heartbeat carries the position past what was left out', async () => {
    const { admin: host, port } = await start({ limits: { heartbeatMs: 40 } });
    const byAor = await connect(port, `?aor=${encodeURIComponent(AOR)}`);
    const byKind = await connect(port, '?kind=expired,unregistered');
    const byDomain = await connect(port, '?domain=OTHER.test');
    await host.register(AOR, [binding('b1')]);
    await host.register('sip:bob@other.test', [binding('b2')], 'expired');
    await until(() => byAor.seen.length + byKind.seen.length + byDomain.seen.length === 3);
    expect([ids(byAor), ids(byKind), ids(byDomain)]).toEqual([['b1'], ['b2'], ['b2']]);
    await until(() => byAor.lastId === '2');
    expect((await connect(port, '?kind=exploded')).response.statusCode).toBe(400);
  });

  it("A06 A07 a tenant's token sees its own domains only", async () => {
    const { admin: host, port } = await start();
    const made = await host.call('POST', '/v1/tokens', {
      body: { name: 't', scope: 'read', domains: ['other.test'] },
    });
    const client = await connect(port, '', undefined, String(made.json?.['token']));
    await host.register(AOR, [binding('b1')]);
    await host.register('sip:bob@other.test', [binding('b2')]);
    await until(() => client.seen.length === 1);
    expect(ids(client)).toEqual(['b2']);
  });

  it('A06 a client that does not read is cut off before it costs memory; it can resume', async () => {
    const { admin: host, port } = await start({ limits: { bufferedBytes: 65_536 } });
    const slow = await connect(port);
    await host.register(AOR, [binding('b0')]);
    await until(() => slow.seen.length === 1);
    slow.response.pause();
    for (let i = 0; i < 2_000 && host.streams.dropped === 0; i += 1) {
      await host.register(AOR, [binding(`b${String(i)}`, { contact: `sip:${'x'.repeat(20_000)}@h` })]);
    }
    expect(host.streams.dropped).toBe(1);
    expect(host.streams.size).toBe(0);
    const again = await connect(port, '', slow.lastId);
    const { version } = await host.location.read(AOR as Aor);
    await until(() => again.lastId === String(version));
    expect(new Set(again.seen.map(({ id }) => id)).size).toBe(version - 1);
  });

  it('A06 streams are bounded in number: 503 with Retry-After', async () => {
    const { admin: host, port } = await start({ limits: { streams: 2 } });
    const first = await connect(port);
    await connect(port);
    const third = await connect(port);
    expect([third.response.statusCode, third.response.headers['retry-after']]).toEqual([503, '5']);
    first.close();
    await until(() => host.streams.size === 1);
    expect((await connect(port)).response.statusCode).toBe(200);
    expect(host.streams.refused).toBe(1);
  });

  it('A06 a shutdown ends the streams at once', async () => {
    const { admin: host, port } = await start();
    const client = await connect(port);
    const began = Date.now();
    await host.app.close();
    await until(() => client.closed);
    expect(Date.now() - began).toBeLessThan(2_000);
  });

  it('A06 a watch that fails later ends the stream with a reason', async () => {
    let fail: (error: Error) => void = () => undefined;
    const broken: LocationWatcher = { watch: () => new Promise((_resolve, reject) => (fail = reject)) };
    const { location } = await harness();
    const { admin: host, port } = await start({ ports: { location: Object.assign(location, broken) } });
    const client = await connect(port);
    fail(new Error('broken'));
    await until(() => client.closed);
    expect(client.seen).toMatchObject([
      { event: 'problem', data: { type: '/problems/internal', status: 500 } },
    ]);
    expect(host.logged.map(({ message }) => message)).toEqual(['event stream failed']);
  });
});

describe('one watch for all streams', () => {
  it('A06 the place where a watch began is remembered as long as what came after it', async () => {
    const { shared: watcher, opened, register } = await shared(2);
    const stop = new AbortController();
    let began: string | undefined;
    void watcher.watch(undefined, (_events, position) => (began ??= position), stop.signal);
    const resume = async (count: number): Promise<string[]> => {
      const own = new AbortController();
      const seen: string[] = [];
      const following = watcher.watch(
        began,
        (events) => seen.push(...events.map((event) => event.cursor)),
        own.signal,
      );
      await until(() => seen.length >= count);
      own.abort();
      await following;
      return seen;
    };
    for (const id of ['b1', 'b2']) await register(AOR, [binding(id)]);
    expect(await resume(2)).toEqual(['1', '2']);
    expect(opened).toEqual([undefined]);
    await register(AOR, [binding('b3')]);
    expect(await resume(3)).toEqual(['1', '2', '3']);
    expect(opened).toEqual([undefined, '0']);
    stop.abort();
    watcher.close();
  });

  async function shared(recent: number) {
    const { location, register, app } = await harness();
    await app.close();
    const watch = location.watch.bind(location);
    const opened: (string | undefined)[] = [];
    location.watch = (cursor, deliver, signal) => {
      opened.push(cursor);
      return watch(cursor, deliver, signal);
    };
    return { shared: new SharedWatcher(location, { recent, lingerMs: 10_000 }), opened, register };
  }

  it('A06 many followers cost one watch; a recent position is served from memory', async () => {
    const { shared: watcher, opened, register } = await shared(10);
    const stop = new AbortController();
    const seen: string[][] = [[], [], []];
    const follow = (index: number, cursor?: string) =>
      watcher.watch(
        cursor,
        (events) => seen[index]?.push(...events.map((event) => event.cursor)),
        stop.signal,
      );
    const following = [follow(0), follow(1)];
    for (const id of ['b1', 'b2', 'b3']) await register(AOR, [binding(id)]);
    following.push(follow(2, '1'));
    await register(AOR, [binding('b4')]);
    expect(opened).toEqual([undefined]);
    expect(seen).toEqual([
      ['1', '2', '3', '4'],
      ['1', '2', '3', '4'],
      ['2', '3', '4'],
    ]);
    stop.abort();
    await Promise.all(following);
    watcher.close();
  });

  it('A06 an older position catches up by a watch of its own, then joins: none lost, none twice', async () => {
    const { shared: watcher, opened, register } = await shared(2);
    const stop = new AbortController();
    void watcher.watch(undefined, () => undefined, stop.signal);
    for (const id of ['b1', 'b2', 'b3', 'b4', 'b5']) await register(AOR, [binding(id)]);
    const seen: string[] = [];
    const following = watcher.watch(
      '1',
      (events) => seen.push(...events.map((event) => event.cursor)),
      stop.signal,
    );
    await until(() => seen.length === 4);
    await register(AOR, [binding('b6')]);
    expect(seen).toEqual(['2', '3', '4', '5', '6']);
    expect(opened).toEqual([undefined, '1']);
    stop.abort();
    await following;
    watcher.close();
  });

  it('A06 an AoR that is not watched by anybody costs nothing after a while', async () => {
    vi.useFakeTimers();
    try {
      const { shared: watcher, opened } = await shared(2);
      const once = async (): Promise<void> => {
        const stop = new AbortController();
        const following = watcher.watch(undefined, () => undefined, stop.signal);
        stop.abort();
        await following;
      };
      await once();
      await once();
      expect(opened).toHaveLength(1);
      vi.advanceTimersByTime(10_001);
      await once();
      expect(opened).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('types', () => {
  it('an AoR in a filter is read like any other', async () => {
    const { admin: host, port } = await start();
    const client = await connect(port, `?aor=${encodeURIComponent('ALICE@example.test')}`);
    await host.register('sip:ALICE@example.test', [binding('b1')]);
    await host.register(AOR, [binding('b2')]);
    await until(() => client.seen.length === 1);
    expect(ids(client)).toEqual(['b1']);
  });
});
