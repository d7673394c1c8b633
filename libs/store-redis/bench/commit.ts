/*
 * What one commit costs: µs of this process and of Redis, and bytes in Redis for each binding.
 *
 *   node --import tsx --conditions=@rollcall/source libs/store-redis/bench/commit.ts [redis url] [AoRs] [outstanding]
 *
 * The Redis must be empty and used by nobody else; run it with `--appendonly yes --appendfsync everysec --save ""`.
 */
import { readFileSync } from 'node:fs';
import { epochMs } from '@rollcall/kernel';
import type { Aor, Binding, BindingId, Commit } from '@rollcall/location';
import { textOf } from '../src/call.ts';
import { StoreClient } from '../src/client.ts';
import { RedisClock } from '../src/clock.ts';
import { RedisLocation } from '../src/redis-location.ts';

const [url = 'redis://127.0.0.1:6379', aorsText = '100000', outstandingText = '256'] = process.argv.slice(2);
const AORS = Number(aorsText);
const OUTSTANDING = Number(outstandingText);
const LIFETIME_MS = 3_600_000;
const TICKS_PER_SECOND = 100;

const client = new StoreClient({ url, commandTimeoutMs: 5000 });
await client.settled();
const clock = new RedisClock(client, 0);
const location = new RedisLocation(client);

const info = async (section: string): Promise<Map<string, string>> =>
  new Map(
    textOf(await client.command(0, ['INFO', section]))
      .split('\r\n')
      .map((line) => line.split(':') as [string, string]),
  );
const redisPid = Number((await info('server')).get('process_id'));
/** CPU seconds of the Redis process with all its threads. */
const redisCpu = (): number => {
  const fields =
    readFileSync(`/proc/${String(redisPid)}/stat`, 'latin1')
      .split(') ')[1]
      ?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
};

const pad = (n: number): string => String(n).padStart(5, '0');
const binding = (n: number, cseq: number, now: number, registeredAt: number): Binding => ({
  id: `b${pad(n)}k3v9fQ2` as BindingId,
  contact: `sip:u${pad(n)}@127.0.0.1:${String(20000 + (n % 40000))}`,
  params: '',
  callId: `${pad(n)}-abcdefghij0123@127.0.0.1:55`.padEnd(30, 'x'),
  cseq,
  path: [
    `<sip:e1~mabc123~u0-7f000001-${String(20000 + (n % 40000))}~Zk3v9fQ2x1AbC${pad(n)}@127.0.0.1:15500;lr;ob>`,
  ],
  userAgent: 'Acme Softphone 5.4.2',
  source: `udp:127.0.0.1:${String(20000 + (n % 40000))}`,
  registeredAt: epochMs(registeredAt),
  refreshedAt: epochMs(now),
  expiresAt: epochMs(now + LIFETIME_MS),
});

const versions = new Map<number, number>();
const started = clock.now();

async function round(name: string, cseq: number): Promise<void> {
  const cpu = process.cpuUsage();
  const redis = redisCpu();
  const at = performance.now();
  let next = 0;
  let left = AORS;
  await new Promise<void>((resolve, reject) => {
    const one = (): void => {
      const n = next;
      next += 1;
      if (n >= AORS) return;
      const now = clock.now();
      const state = binding(n, cseq, now, cseq === 1 ? now : started);
      const commit: Commit = {
        aor: `sip:u${pad(n)}@example.test` as Aor,
        expectedVersion: versions.get(n) ?? 0,
        bindings: [state],
        changes: [{ kind: cseq === 1 ? 'registered' : 'refreshed', binding: state }],
        actor: `sip:u${pad(n)}@example.test`,
      };
      location.commitThen(commit, (error, outcome) => {
        if (outcome?.kind !== 'committed') {
          reject(error ?? new Error('conflict'));
          return;
        }
        versions.set(n, outcome.version);
        left -= 1;
        if (left === 0) resolve();
        else one();
      });
    };
    for (let i = 0; i < OUTSTANDING; i += 1) one();
  });
  const seconds = (performance.now() - at) / 1000;
  const used = process.cpuUsage(cpu);
  const us = (microseconds: number): string => (microseconds / AORS).toFixed(1).padStart(6);
  console.log(
    `${name.padEnd(12)} ${String(Math.round(AORS / seconds)).padStart(7)}/s   node ${us(used.user + used.system)} µs   ` +
      `redis ${us((redisCpu() - redis) * 1e6)} µs`,
  );
}

const memory = async (): Promise<number> => Number((await info('memory')).get('used_memory'));
const before = await memory();
await round('register', 1);
const after = await memory();
console.log(`${((after - before) / AORS).toFixed(0)} bytes in Redis for each binding of ${String(AORS)}`);
await round('refresh', 2);
await round('refresh', 3);
await round('refresh', 4);
const { calls, writes } = client.stats();
console.log(`${(calls / writes).toFixed(1)} calls a write`);
clock.stop();
await client.close();
