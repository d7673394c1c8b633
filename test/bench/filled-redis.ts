import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { epochMs } from '@rollcall/kernel';
import { FlowTokens, type Aor, type Binding, type BindingId } from '@rollcall/location';
import type { Store } from '@rollcall/store-redis';
import { redisCall } from '../faults/redis-wire.ts';

/* A Redis with as many bindings as wanted, and the services on it. */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const DOMAIN = 'example.test';
/** Users that can register beside those that only stand in Redis. */
export const USERS = 1000;
const TOGETHER = 2000;
const LIFETIME_MS = 24 * 3_600_000;
const AGENTS = ['Acme Softphone 5.4.2', 'baresip v1.0.0', 'Yealink SIP-T46U 108.86'];
const TRANSPORTS = ['udp', 'tcp', 'tls', 'wss'];

const tokens = new FlowTokens('a secret for a bench of a million');
const paths = Array.from({ length: 20 }, (_, edge) => {
  const token = tokens.sign({ edge: `edge-${edge}`, epoch: 1_700_000_000_000, flow: 'u0-7f000001-20000' });
  return `<sip:${token}@198.51.100.1:5060;lr;ob>`;
});

/** A phone as phones are. */
function phone(n: number, now: number): { aor: Aor; binding: Binding } {
  const user = `f${String(n).padStart(7, '0')}`;
  const port = 20_000 + (n % 40_000);
  return {
    aor: `sip:${user}@${DOMAIN}` as Aor,
    binding: {
      id: `b${String(n).padStart(7, '0')}k3v9` as BindingId,
      contact: `sip:${user}@192.0.2.1:${port}`,
      params: '',
      callId: `${String(n).padStart(7, '0')}-0123456789@192.0.2.1`,
      cseq: 2,
      path: [paths[n % paths.length] ?? ''],
      userAgent: AGENTS[n % AGENTS.length] ?? '',
      source: `${TRANSPORTS[n % TRANSPORTS.length] ?? ''}:192.0.2.1:${port}`,
      registeredAt: epochMs(now),
      refreshedAt: epochMs(now),
      expiresAt: epochMs(now + LIFETIME_MS + (n % 3_600_000)),
    },
  };
}

export async function register(store: Store, n: number): Promise<void> {
  const { aor, binding } = phone(n, store.clock.now());
  const changes = [{ kind: 'registered', binding }] as const;
  await store.location.commit({ aor, expectedVersion: 0, bindings: [binding], changes, actor: aor });
}

export const portOf = (url: string): number => Number(new URL(url).port);
const usedMemory = async (url: string): Promise<number> =>
  Number(/used_memory:(\d+)/.exec(String(await redisCall(portOf(url), 'INFO', 'memory')))?.[1]);

export async function fill(store: Store, url: string, count: number): Promise<void> {
  const before = await usedMemory(url);
  const began = performance.now();
  for (let at = 0; at < count; at += TOGETHER) {
    const some = Math.min(TOGETHER, count - at);
    await Promise.all(Array.from({ length: some }, (_, i) => register(store, at + i)));
  }
  const seconds = (performance.now() - began) / 1000;
  const each = ((await usedMemory(url)) - before) / count;
  console.log(
    `${count} bindings in ${seconds.toFixed(0)} s, ${each.toFixed(0)} bytes of Redis for each, all included`,
  );
}

/** The services as `npm start` starts them, on a given Redis. */
export async function startServices(
  portBase: number,
  redis: string,
  more: Readonly<Record<string, string>> = {},
): Promise<{ readonly child: ChildProcess; readonly line: string }> {
  const args = ['deploy/local/start.mjs', '--json', '--port-base', String(portBase), '--redis', redis];
  const child = spawn(process.execPath, [...args, '--users', String(USERS)], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, OTEL_TRACES_EXPORTER: 'none', ...more },
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, line: line.toString() };
}
