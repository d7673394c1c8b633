import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Aor } from '@rollcall/location';
import { numberedAccounts, type Phone } from '@rollcall/local';
import { eventually, freePortBase, TestSystem } from '@rollcall/testkit';
import { Devices } from '../faults/devices.ts';
import { addFindings, Ledger, noFindings, type Findings } from '../faults/ledger.ts';
import { redisCall } from '../faults/redis-wire.ts';
import { diskKinds, startSmallDisk, type SmallDisk } from './small-disk.ts';

const CLEAN = { lost: 0, duplicated: 0, wrongExpiry: 0, alien: 0, examples: [] };
const DEVICES = 40;
const PATIENCE_MS = 30_000;
/** Offset of the Redis in the block of ports: behind the services. */
const REDIS_OFFSET = 50;

describe.each(diskKinds())('K10 F10 Redis writes its append-only file to %s', (kind) => {
  const accounts = [...numberedAccounts(DEVICES + 1)];
  const ledger = new Ledger();
  let disk: SmallDisk;
  let system: TestSystem;
  let devices: Devices;
  let phone: Phone;

  beforeAll(async () => {
    disk = await startSmallDisk(kind, (await freePortBase()) + REDIS_OFFSET);
    system = await TestSystem.start({ accounts, redis: { url: disk.redis.url } });
    devices = await Devices.start({
      ...{ accounts: accounts.slice(0, DEVICES), domain: system.domain, ledger, thinkMs: 100 },
      edges: [system.sip('udp')],
    });
    phone = await system.phone(accounts[DEVICES]!);
  });
  afterAll(async () => {
    await devices.stop();
    await system.stop();
    await disk.stop();
  });

  const check = async (): Promise<Findings> => {
    await devices.hold();
    const store = await system.store();
    await eventually('the store', () => store.ready(), PATIENCE_MS);
    const findings = noFindings();
    for (const aor of ledger.aors()) {
      const { bindings } = await store.location.read(aor as Aor);
      addFindings(findings, ledger.check(aor, bindings, Date.now()));
    }
    devices.release();
    return findings;
  };
  const refusals = (): Promise<number> => system.metric('registrar', 'rollcall_store_errors_total');
  const pids = (): number[] => system.system.services.map(({ process }) => process.pid);

  it('writes get 503 with Retry-After, the rest is served, and room that is made is enough', async () => {
    expect((await phone.register()).status).toBe(200);
    await devices.acknowledge(100);
    const before = { errors: await refusals(), pids: pids() };
    disk.fill();
    const refused = devices.count(503);
    await eventually('refusals', () => devices.count(503) > refused + DEVICES, PATIENCE_MS);
    const written = redisCall(disk.redis.port, 'SET', 'x', '1');
    expect(String(await written.catch(String))).toContain('MISCONF');
    // What needs no write goes on: OPTIONS, challenges, the listing of bindings, what is sent to them.
    expect((await phone.request('OPTIONS', { uri: `sip:${system.domain}`, auth: false })).status).toBe(200);
    expect((await phone.request('REGISTER', { auth: false })).status).toBe(401);
    expect((await phone.request('REGISTER')).header('contact')).toContain(phone.contact);
    expect((await phone.request('MESSAGE', { uri: phone.aor })).status).toBe(200);
    for (const path of ['/healthz', '/readyz'])
      expect((await fetch(system.opsUrl('registrar-1', path))).status, path).toBe(200);
    // What the alert is made from.
    expect(await refusals()).toBeGreaterThan(before.errors);
    const began = performance.now();
    disk.makeRoom();
    await devices.acknowledge(DEVICES, PATIENCE_MS);
    // Redis tries again once a second.
    expect(performance.now() - began).toBeLessThan(PATIENCE_MS);
    expect(await check()).toEqual(CLEAN);
    expect(devices.withoutRetryAfter).toBe(0);
    expect([...devices.statuses.keys()].filter((status) => ![200, 401, 503].includes(status))).toEqual([]);
    expect(pids()).toEqual(before.pids);
  });

  it('under appendfsync always Redis ends rather than acknowledge, and has everything when it is back', async () => {
    await redisCall(disk.redis.port, 'CONFIG', 'SET', 'appendfsync', 'always');
    await devices.acknowledge(100);
    const before = pids();
    disk.fill();
    await disk.redis.process.ended;
    const refused = devices.count(503);
    await eventually('refusals', () => devices.count(503) > refused, PATIENCE_MS);
    await devices.hold();
    disk.makeRoom();
    await disk.restart();
    expect(await check()).toEqual(CLEAN);
    await devices.acknowledge(DEVICES, PATIENCE_MS);
    expect(devices.withoutRetryAfter).toBe(0);
    expect(pids()).toEqual(before);
  });
});
