import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Aor, LocationEvent } from '@rollcall/location';
import { eventually, Phone, ROOT } from '@rollcall/testkit';
import { FaultSystem } from './fault-system.ts';
import { registerInside, type InnerRegister } from './inner-registers.ts';
import { redisCall } from './redis-wire.ts';

const CLEAN = { lost: 0, duplicated: 0, wrongExpiry: 0, alien: 0, examples: [] };
const PATIENCE_MS = 60_000;
const CONTACTS_EACH = 20;
const DEVICES = 60;

const HOUR_MS = 3_600_000;

/** The clocks of edge and registrars are hours apart throughout, and one runs half as fast again. */
const skewed = (ms: number, rate = 1): Record<string, string> => ({
  NODE_OPTIONS: `--import ${new URL('skew.mjs', import.meta.url).href}`,
  FAULTS_CLOCK_OFFSET_MS: String(ms),
  FAULTS_CLOCK_RATE: String(rate),
});
const registrarSettings = { ROLLCALL_MIN_EXPIRES: '1', ROLLCALL_MAX_CONTACTS: String(CONTACTS_EACH) };

describe('one Redis, two registrars with clocks an hour apart and an edge an hour behind both', () => {
  let system: FaultSystem;
  let pids: readonly number[];

  beforeAll(async () => {
    system = await FaultSystem.start({
      topology: 'single',
      durability: 'everysec',
      devices: DEVICES,
      env: {
        'edge-1': skewed(-HOUR_MS),
        'registrar-1': { ...skewed(HOUR_MS, 1.5), ...registrarSettings },
        'registrar-2': registrarSettings,
      },
    });
    pids = system.system.services.map(({ process }) => process.pid);
  });
  afterAll(() => system.stop());

  const innerPort = (n: number): number =>
    Number(system.service(`registrar-${n}`).planned.env['ROLLCALL_INNER_PORT']);
  const crashed = (): boolean => system.system.services.some(({ process }) => process.exited);

  it('F05 K14 expiries are what was promised, whichever registrar promised them; no nonce is refused for its age', async () => {
    await system.devices.acknowledge(300);
    expect(await system.check()).toEqual(CLEAN);
    // The first challenge of each device, and no other.
    expect(system.devices.count(401)).toBeLessThanOrEqual(DEVICES);
    const { events, stop } = await watch(system);
    const promised = new Map<string, number>();
    await Promise.all(
      [1, 2].map(async (registrar) => {
        const registers = Array.from({ length: 10 }, (_, n) => one(`f05-${registrar}-${n}`, 3));
        await createUsers(system, registers);
        const answers = await registerInside(innerPort(registrar), registers);
        for (const [n, answer] of answers.entries()) {
          expect(answer.status).toBe(200);
          promised.set(registers[n]?.aor ?? '', Date.now() + 3000);
        }
      }),
    );
    await eventually('all expiries', () => expired(events, promised).length === promised.size, PATIENCE_MS);
    stop();
    for (const { aor, at } of expired(events, promised)) {
      // Never early; late by what a sweep takes on a busy machine.
      expect(at - (promised.get(aor) ?? 0)).toBeGreaterThan(-1000);
      expect(at - (promised.get(aor) ?? 0)).toBeLessThan(4000);
    }
  });

  it('two registrars hit with the same 5,000 new Contacts at once: 5,000 bindings, no duplicate', async () => {
    const registers = Array.from({ length: 5000 }, (_, n): InnerRegister => {
      const user = `twice-${Math.floor(n / CONTACTS_EACH)}`;
      return {
        ...one(user, 600),
        contact: `sip:${user}@192.0.2.1:${5060 + (n % CONTACTS_EACH)}`,
        callId: `c${n}`,
      };
    });
    await createUsers(system, registers);
    const answers = await Promise.all([1, 2].map((n) => registerInside(innerPort(n), registers)));
    for (const { status } of answers.flat()) expect(status).toBe(200);
    const aors = [...new Set(registers.map(({ aor }) => aor))];
    const stored = await Promise.all(aors.map((aor) => system.store.location.read(aor as Aor)));
    const contacts = stored.flatMap(({ bindings }) => bindings.map(({ contact }) => contact));
    expect(contacts).toHaveLength(5000);
    expect(new Set(contacts)).toEqual(new Set(registers.map(({ contact }) => contact)));
  });

  it('F01 kill -9 of a registrar under load: nothing acknowledged is lost, doubled or of another length', async () => {
    for (const name of ['registrar-1', 'registrar-2']) {
      await system.devices.acknowledge(150);
      await system.strike(() => system.killService(name));
      expect(await system.check()).toEqual(CLEAN);
      await system.revive(name);
    }
    pids = system.system.services.map(({ process }) => process.pid);
  });

  it('B22 each expiry is one event: with two sweepers, one stopped in the middle and going on later, one killed', async () => {
    const { events, stop } = await watch(system);
    const round = async (name: string, strike: () => Promise<void> | void): Promise<InnerRegister[]> => {
      const registers = Array.from({ length: 600 }, (_, n) => one(`${name}-${n}`, 2));
      await createUsers(system, registers);
      const answers = await registerInside(innerPort(2), registers);
      for (const { status } of answers) expect(status).toBe(200);
      const mine = new Map(registers.map(({ aor }) => [aor, 0]));
      await eventually('the first expiry', () => expired(events, mine).length > 0, PATIENCE_MS);
      await strike();
      await eventually('the last expiry', () => expired(events, mine).length >= mine.size, PATIENCE_MS);
      return registers;
    };
    const stopped = system.service('registrar-1').process;
    const first = await round('stopped', () => {
      stopped.kill('SIGSTOP');
    });
    stopped.kill('SIGCONT');
    const second = await round('killed', () => system.killService('registrar-1'));
    await system.revive('registrar-1');
    pids = system.system.services.map(({ process }) => process.pid);
    // Time for whoever would tell something twice: a lease is five seconds.
    await sleep(2000);
    stop();
    for (const registers of [first, second]) {
      const told = expired(events, new Map(registers.map(({ aor }) => [aor, 0]))).map(({ aor }) => aor);
      expect(told).toHaveLength(registers.length);
      expect(new Set(told).size).toBe(registers.length);
    }
  });

  it('B21 F02 Redis stopped for five seconds: OPTIONS and 401 are answered, the rest is 503 with Retry-After; it is back by itself', async () => {
    await system.devices.acknowledge(100);
    const phone = await Phone.open({
      ...{ transport: 'udp', server: system.edge, domain: 'example.test' },
      ...{ user: 'u00001', password: 'pass-u00001' },
    });
    const refusedBefore = system.devices.count(503);
    system.topology.pause();
    const until = Date.now() + 5000;
    let asked = 0;
    while (Date.now() < until) {
      expect((await phone.request('OPTIONS', { uri: 'sip:example.test', auth: false })).status).toBe(200);
      expect((await phone.request('REGISTER', { auth: false })).status).toBe(401);
      asked += 1;
      await sleep(100);
    }
    system.topology.resume();
    expect(asked).toBeGreaterThan(3);
    expect(system.devices.count(503)).toBeGreaterThan(refusedBefore);
    expect(system.devices.withoutRetryAfter).toBe(0);
    await system.devices.acknowledge(200);
    expect(await system.check()).toEqual(CLEAN);
    expect(crashed()).toBe(false);
    expect(system.system.services.map(({ process }) => process.pid)).toEqual(pids);
    for (const status of system.devices.statuses.keys()) expect([200, 401, 503]).toContain(status);
    phone.close();
  });

  it('the store is resharded and repaired by the documented command under the running services', async () => {
    await system.devices.acknowledge(100);
    const resharded = await storeCommand(system, 'reshard', '--to', '96');
    expect(resharded).toMatchObject({ from: 64, to: 96 });
    await system.devices.acknowledge(200);
    expect(await system.check()).toEqual(CLEAN);
    expect(await storeCommand(system, 'repair')).toMatchObject({ faults: {} });
    expect(crashed()).toBe(false);
  });

  it('F02 Redis emptied under the running system: the next refresh is stored again', async () => {
    await system.devices.acknowledge(100);
    await system.devices.hold();
    await system.topology.flush();
    system.ledger.forget();
    system.devices.release();
    await system.devices.acknowledge(200);
    const found = await system.check();
    expect(found).toEqual(CLEAN);
    await system.restoreUsers();
  });

  it('K30 one in a hundred values damaged: no crash, and nobody else notices', async () => {
    await system.devices.acknowledge(200);
    await system.devices.hold();
    const { damage, victims } = await damageSome(system);
    expect(damage).toBeGreaterThan(8);
    const before = system.devices.count(500);
    system.devices.release();
    await system.devices.acknowledge(400);
    expect(crashed()).toBe(false);
    const found = await system.check((aor) => !victims.has(aor));
    expect(found).toEqual(CLEAN);
    // Those whose own record or user is damaged may be told 500, nobody else.
    expect(system.devices.refusedAors(500).filter((aor) => !victims.has(aor))).toEqual([]);
    expect(system.devices.count(500)).toBeGreaterThanOrEqual(before);
  });
});

/** Runs `store-command` as an operator would; what it prints. */
async function storeCommand(system: FaultSystem, ...args: readonly string[]): Promise<unknown> {
  const main = join(ROOT, 'services', 'admin', 'dist', 'store-command', 'main.js');
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...system.topology.place.env },
  });
  return JSON.parse(stdout) as unknown;
}

const one = (user: string, expires: number): InnerRegister => ({
  aor: `sip:${user}@example.test`,
  contact: `sip:${user}@192.0.2.1:5060`,
  expires,
  callId: `call-${user}`,
  cseq: 1,
});

async function createUsers(system: FaultSystem, registers: readonly InnerRegister[]): Promise<void> {
  const aors = [...new Set(registers.map(({ aor }) => aor as Aor))];
  await system.store.users.putMany(
    aors.map((aor) => ({ aor, authUser: 'x', realm: 'example.test', ha1: {}, enabled: true })),
  );
}

/** Follows the change streams; resolves when whatever happens from now on will be seen. */
async function watch(system: FaultSystem): Promise<{ events: LocationEvent[]; stop: () => void }> {
  const events: LocationEvent[] = [];
  const abort = new AbortController();
  await new Promise<void>((resolve, reject) => {
    system.store.location
      .watch(
        undefined,
        (more) => {
          events.push(...more.filter(({ kind }) => kind === 'expired'));
          resolve();
        },
        abort.signal,
      )
      .catch(reject);
  });
  return {
    events,
    stop: () => {
      abort.abort();
    },
  };
}

const expired = (events: readonly LocationEvent[], aors: ReadonlyMap<string, number>): LocationEvent[] =>
  events.filter(({ aor }) => aors.has(aor));

/** Damages about one key in a hundred of each kind that phones depend on; says whose own record or user is among them. */
async function damageSome(system: FaultSystem): Promise<{ damage: number; victims: Set<string> }> {
  const port = Number(new URL(system.topology.place.env['ROLLCALL_REDIS_URL'] ?? '').port);
  const keysOf = async (pattern: string): Promise<string[]> =>
    ((await redisCall(port, 'KEYS', pattern)) as string[]).sort();
  const victims = new Set<string>();
  let damage = 0;
  const strike = async (key: string | undefined, value: string): Promise<void> => {
    if (key === undefined) return;
    await redisCall(port, 'DEL', key);
    await redisCall(port, value === 'list' ? 'RPUSH' : 'SET', key, value === 'list' ? 'damage' : value);
    const aor = /:(?:r|u):(sip:.*)$/.exec(key)?.[1];
    if (aor !== undefined) victims.add(aor);
    damage += 1;
  };
  const records = await keysOf('rc:{*}:r:sip:u000*');
  await strike(records[0], 'list');
  await strike(records[1], '9 a record of a later version');
  await strike(records[2], '1garbage\nwithout\nsense');
  const users = await keysOf('rc:{u*}:u:sip:u000*');
  await strike(users.at(-1), 'not a hash');
  await strike(users.at(-2), 'list');
  for (const pattern of ['rc:{*}:due:*', 'rc:{*}:aors:*', 'rc:{*}:chg']) {
    const found = await keysOf(pattern);
    await strike(found[0], 'list');
    await strike(found.at(-1), 'damage');
  }
  return { damage, victims };
}
