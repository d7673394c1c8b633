import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectStore } from '@rollcall/store-redis';
import type { Store } from '@rollcall/store-redis';
import { freePort, RedisProcess } from '@rollcall/testkit';
import { InnerPeer, until } from './harness.ts';
import { aorOf, register } from './support.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CONTACT = 'Contact: <sip:a@10.0.0.1>';

/** A registrar as a process, with what it has written. */
class RegistrarProcess {
  out = '';
  err = '';
  code: number | undefined;
  readonly #child: ChildProcess;

  constructor(env: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, ['--import', 'tsx', '--conditions=@rollcall/source', MAIN], {
      cwd: ROOT,
      env: {
        PATH: process.env['PATH'] ?? '',
        ROLLCALL_SECRET: 'a secret of the process tests',
        ROLLCALL_INNER_PORT: '0',
        ROLLCALL_HTTP_PORT: '0',
        ROLLCALL_REHEARSAL_MS: '0',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.out += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.err += chunk.toString()));
    this.#child.once('exit', (code) => (this.code = code ?? -1));
  }

  lines(): { msg: string; inner?: number; http?: number }[] {
    return this.out
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { msg: string });
  }

  async ready(): Promise<{ inner: number; http: number }> {
    const line = await until('the ready line', () => {
      if (this.code !== undefined) throw new Error(`it ended: ${this.err}${this.out}`);
      return this.lines().find(({ msg }) => msg === 'ready');
    });
    return { inner: line.inner ?? 0, http: line.http ?? 0 };
  }

  ended(): Promise<number> {
    return until('its end', () => this.code);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

const probe = async (port: number, path: string): Promise<number> =>
  (await fetch(`http://127.0.0.1:${port.toString()}${path}`)).status;

describe('three registrars on one Redis', () => {
  let redis: RedisProcess;
  let store: Store;
  let registrars: RegistrarProcess[];
  let ports: { inner: number; http: number }[];
  let peers: InnerPeer[];

  beforeAll(async () => {
    redis = await RedisProcess.make(['--appendonly', 'yes']);
    await redis.begin();
    store = await connectStore({ url: redis.url });
    await store.users.domains.put({ name: 'example.test' });
    const env = { ROLLCALL_REDIS_URL: redis.url, ROLLCALL_MIN_EXPIRES: '1' };
    registrars = [1, 2, 3].map(() => new RegistrarProcess(env));
    ports = await Promise.all(registrars.map((registrar) => registrar.ready()));
    peers = ports.map(({ inner }) => new InnerPeer(inner));
  });

  afterAll(async () => {
    for (const peer of peers) peer.close();
    for (const registrar of registrars) registrar.kill('SIGKILL');
    await store.close();
    await redis.stop();
  });

  test('B01 B03 B12 what one registers another refreshes, lists and recognises', async () => {
    const text = register({ user: 'anna', callId: 'anna', lines: [CONTACT, 'Expires: 600'] });
    const first = await peers[0]!.send(text);
    expect([first.status, first.header('contact')]).toEqual([200, '<sip:a@10.0.0.1>;expires=600']);
    expect((await peers[1]!.send(text)).headers('contact')).toHaveLength(1);
    const second = await peers[2]!.send(register({ user: 'anna', callId: 'anna', cseq: 2 }));
    expect(second.headers('contact')).toHaveLength(1);
    const { bindings } = await store.location.read(aorOf('anna@example.test'));
    expect(bindings).toHaveLength(1);
    expect(bindings[0]).toMatchObject({
      contact: 'sip:a@10.0.0.1',
      cseq: 1,
      source: 'udp:198.51.100.7:40000',
    });
  });

  test('B20 20 concurrent REGISTERs of one instance leave one binding', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => {
        const contact = `Contact: <sip:b@10.0.0.1:${(6000 + index).toString()}>;+sip.instance="<urn:uuid:1>"`;
        return peers[index % 3]!.send(
          register({ user: 'berta', callId: `b${index.toString()}`, lines: [contact] }),
        );
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect((await store.location.read(aorOf('berta@example.test'))).bindings).toHaveLength(1);
  });

  test('B22 a binding is gone at the promised second, and one event says so', async () => {
    const stop = new AbortController();
    const events: { kind: string; at: number }[] = [];
    const watching = store.location.watch(
      undefined,
      (batch) => {
        for (const { aor, kind } of batch) {
          if (aor === 'sip:carla@example.test') events.push({ kind, at: store.clock.now() });
        }
      },
      stop.signal,
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    const sent = store.clock.now();
    await peers[0]!.send(register({ user: 'carla', callId: 'carla', lines: [CONTACT, 'Expires: 2'] }));
    const expired = await until('the expiry', () => events.find(({ kind }) => kind === 'expired'));
    expect(expired.at - sent).toBeGreaterThan(1900);
    expect(expired.at - sent).toBeLessThan(3000);
    expect((await store.location.read(aorOf('carla@example.test'))).bindings).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(events.map(({ kind }) => kind)).toEqual(['registered', 'expired']);
    stop.abort();
    await watching;
  });

  test.each(['reject', 'evict-oldest', 'evict-unreachable', 'replace'] as const)(
    'B19 A05 %s: set without a restart, and 20 devices at once never exceed the cap',
    async (onLimit) => {
      const name = `${onLimit}.test`;
      await store.users.domains.put({ name, maxContacts: 3, onLimit });
      const aor = aorOf(`dora@${name}`);
      const send = (n: number) =>
        peers[n % 3]!.send(
          register({
            user: 'dora',
            callId: `${onLimit}${n.toString()}`,
            lines: [`Contact: <sip:d@10.0.0.${n.toString()}>`],
          }).replaceAll('example.test', name),
        );
      for (const replica of [0, 1, 2]) {
        await until('the domain to be known', async () =>
          (await send(replica)).status === 200 ? true : undefined,
        );
      }
      let most = 0;
      const all = { done: false };
      const watching = (async () => {
        while (!all.done) most = Math.max(most, (await store.location.read(aor)).bindings.length);
      })();
      const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => send(n + 10)));
      all.done = true;
      await watching;
      const accepted = answers.filter(({ status }) => status === 200).length;
      expect(accepted).toBe(onLimit === 'reject' || onLimit === 'evict-unreachable' ? 0 : 20);
      expect(most).toBeLessThanOrEqual(3);
      for (const answer of answers) expect(answer.headers('contact').length).toBeLessThanOrEqual(3);
    },
  );

  test('K30 a record of another format or in ruins fails its own AoR and nobody else, and is not overwritten', async () => {
    const [fred, gina] = [aorOf('fred@example.test'), aorOf('gina@example.test')];
    let cseq = 0;
    const send = (user: string) => {
      cseq += 1;
      return peers[cseq % 3]!.send(register({ user, callId: user, cseq, lines: [CONTACT] }));
    };
    expect((await send('fred')).status).toBe(200);
    const key = /rc:\{\d+\}:r:\S+/.exec(await redis.command('KEYS', `rc:*:r:${fred}`))?.[0] ?? '';
    for (const poison of ['2future', '1000000001mia11vo2x', '\u0000\u00ff', 'x'.repeat(100)]) {
      await redis.command('SET', key, poison, 'PX', '60000');
      for (let replica = 0; replica < 3; replica++) {
        expect((await send('fred')).status, poison).toBe(500);
        expect((await send('gina')).status).toBe(200);
      }
      expect(await redis.command('GET', key)).toContain(poison);
    }
    await redis.command('DEL', key);
    expect((await send('fred')).status).toBe(200);
    expect((await store.location.read(gina)).bindings).toHaveLength(1);
    for (const { http } of ports) expect(await probe(http, '/healthz')).toBe(200);
  });

  test('O03 liveness, readiness and metrics', async () => {
    expect(await probe(ports[0]!.http, '/healthz')).toBe(200);
    expect(await probe(ports[0]!.http, '/readyz')).toBe(200);
    const metrics = await fetch(`http://127.0.0.1:${ports[0]!.http.toString()}/metrics`);
    expect(await metrics.text()).toMatch(/rollcall_register_outcomes_total\{outcome="committed"\} [1-9]/);
  });

  test('B21 Redis goes and comes back: 503 with Retry-After meanwhile, one line each, nothing lost', async () => {
    const registered = await peers[1]!.send(register({ user: 'dora', callId: 'dora', lines: [CONTACT] }));
    expect(registered.status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 1200)); // appendfsync everysec
    await redis.kill();
    const refused = await until('a refusal', async () => {
      const answer = await peers[1]!.send(
        register({ user: 'dora', callId: `d${Date.now().toString()}`, lines: [CONTACT] }),
      );
      return answer.status === 200 ? undefined : answer;
    });
    expect(refused.status).toBe(503);
    expect(Number(refused.header('retry-after'))).toBeGreaterThan(0);
    await until('unreadiness', async () =>
      (await probe(ports[1]!.http, '/readyz')) === 503 ? true : undefined,
    );
    expect(await probe(ports[1]!.http, '/healthz')).toBe(200);
    await redis.begin();
    await until('readiness', async () =>
      (await probe(ports[1]!.http, '/readyz')) === 200 ? true : undefined,
    );
    const again = await peers[1]!.send(register({ user: 'dora', callId: 'dora', cseq: 9 }));
    expect([again.status, again.headers('contact').length]).toEqual([200, 1]);
    const told = registrars[1]!.lines().filter(({ msg }) => msg.startsWith('the store'));
    expect(told.map(({ msg }) => msg.includes('away'))).toEqual([true, false]);
  });

  test('a stopped registrar answers what it has taken and ends well', async () => {
    const answer = peers[2]!.send(register({ user: 'emma', callId: 'emma', lines: [CONTACT] }));
    expect((await answer).status).toBe(200);
    registrars[2]!.kill('SIGTERM');
    expect(await registrars[2]!.ended()).toBe(0);
    expect(registrars[2]!.lines().map(({ msg }) => msg)).toContain('stopped');
  });
});

describe('what stops a registrar at the start', () => {
  test('O06 a wrong setting: one line that names it, exit code 78', async () => {
    const wrong = new RegistrarProcess({ ROLLCALL_MIN_EXPIRES: 'soon' });
    expect(await wrong.ended()).toBe(78);
    expect(wrong.err).toMatch(/^rollcall-registrar: ROLLCALL_MIN_EXPIRES: "soon" is not an integer .*\n$/);
    const contrary = new RegistrarProcess({ ROLLCALL_MIN_EXPIRES: '600', ROLLCALL_MAX_EXPIRES: '60' });
    expect(await contrary.ended()).toBe(78);
    expect(contrary.err).toMatch(/^rollcall-registrar: ROLLCALL_MAX_EXPIRES: .*\n$/);
  });

  test('a busy port: one line, exit code 1', async () => {
    const port = await freePort();
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(port, '127.0.0.1', resolve));
    const busy = new RegistrarProcess({ ROLLCALL_INNER_PORT: port.toString() });
    expect(await busy.ended()).toBe(1);
    expect(busy.err).toBe(`rollcall-registrar: 127.0.0.1:${port.toString()} (tcp) is already in use\n`);
    holder.close();
  });

  test('no Redis: it runs, warns once, is alive and not ready, and answers 503', async () => {
    const port = await freePort();
    const alone = new RegistrarProcess({ ROLLCALL_REDIS_URL: `redis://127.0.0.1:${port.toString()}` });
    const { inner, http } = await alone.ready();
    expect([await probe(http, '/healthz'), await probe(http, '/readyz')]).toEqual([200, 503]);
    const peer = new InnerPeer(inner);
    expect((await peer.send(register({ lines: [CONTACT] }))).status).toBe(503);
    peer.close();
    expect(alone.lines().filter(({ msg }) => msg.startsWith('the store is away'))).toHaveLength(1);
    alone.kill('SIGTERM');
    expect(await alone.ended()).toBe(0);
  });
});
