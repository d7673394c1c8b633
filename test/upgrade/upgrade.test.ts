import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Aor, Binding } from '@rollcall/location';
import { numberedAccounts } from '@rollcall/local';
import { eventually, Subscription, type Phone } from '@rollcall/testkit';
import { Watchers } from '../chaos/watchers.ts';
import { Devices } from '../faults/devices.ts';
import { addFindings, Ledger, noFindings, type Findings } from '../faults/ledger.ts';
import { buildPrevious } from './build-previous.ts';
import { Fleet, type Version } from './fleet.ts';
import { PREVIOUS } from './previous.ts';

const CLEAN = { lost: 0, duplicated: 0, wrongExpiry: 0, alien: 0, examples: [] };
const UNDER_LOAD = 60;
const WATCHED = 12;
/** Users of the checks by hand: a pair of them for each way across. */
const BY_HAND = 8;
const EDGES = 2;
const REFRESH_MS = 2000;
const PATIENCE_MS = 30_000;

/** Each of the two builds in each place, when the second one of each service is replaced. */
const FIRST = /-1$/;
/** What a notifier calls itself: a request to it comes back to the dialog. */
const OWN_CONTACT = /^<sip:[^@<>]+@127\.0\.0\.1:\d+[^<>]*>/;

describe('O07 the previous build and this one side by side', () => {
  const accounts = [...numberedAccounts(UNDER_LOAD + BY_HAND)];
  const byHand = accounts.slice(UNDER_LOAD);
  const ledger = new Ledger();
  const watchers = new Watchers();
  let fleet: Fleet;
  let devices: Devices;

  beforeAll(async () => {
    fleet = await Fleet.start(buildPrevious(PREVIOUS), accounts);
    await watchers.start(fleet, accounts.slice(0, WATCHED), EDGES, REFRESH_MS);
    devices = await Devices.start({
      ...{ accounts: accounts.slice(0, UNDER_LOAD), domain: fleet.domain, edges: fleet.edges },
      ...{ ledger, thinkMs: 150 },
    });
  }, 180_000);
  afterAll(async () => {
    watchers.stop();
    await devices.stop();
    await fleet.stop();
  });

  const roll = async (which: (name: string) => boolean, version: Version): Promise<void> => {
    for (const name of fleet.names.filter(which)) {
      await fleet.replace(name, version);
      await devices.acknowledge(UNDER_LOAD);
    }
  };

  /** All that was promised stands, whoever promised it, and every watcher knows it. */
  const expectNothingLost = async (): Promise<void> => {
    await devices.hold();
    const stored = new Map<string, readonly Binding[]>();
    for (const aor of ledger.aors()) stored.set(aor, (await fleet.store.location.read(aor as Aor)).bindings);
    const findings: Findings = noFindings();
    for (const [aor, bindings] of stored) addFindings(findings, ledger.check(aor, bindings, Date.now()));
    expect(findings).toEqual(CLEAN);
    await eventually('watchers', () => watchers.compare(stored).stale.length === 0, PATIENCE_MS).catch(
      () => undefined,
    );
    const { lost, backwards, stale } = watchers.compare(stored);
    expect({ lost, backwards, stale }).toEqual({ lost: 0, backwards: [], stale: [] });
    devices.release();
  };

  it('an old and a new one of each service serve together', async () => {
    await roll((name) => FIRST.test(name), 'new');
    for (const kind of ['edge', 'registrar', 'presence']) {
      expect([1, 2].map((n) => fleet.versionOf(`${kind}-${String(n)}`))).toEqual(['new', 'old']);
    }
    await Promise.all(
      byHand.map((account, n) => crossOver(fleet, account, 1 + (n % EDGES), 1 + ((n + 1) % EDGES))),
    );
    for (const name of ['registrar-1', 'registrar-2']) {
      const served = (await fleet.metrics(name)).sum('rollcall_register_outcomes_total');
      expect(served, name).toBeGreaterThan(UNDER_LOAD);
    }
    for (const name of ['presence-1', 'presence-2']) {
      const sent = (await fleet.metrics(name)).sum('rollcall_notifications_total');
      expect(sent, name).toBeGreaterThan(0);
    }
    await expectNothingLost();
  }, 120_000);

  it('the upgrade ends with every service new, and nothing is lost', async () => {
    await roll((name) => !FIRST.test(name), 'new');
    expect(fleet.names.map((name) => fleet.versionOf(name))).not.toContain('old');
    await expectNothingLost();
  }, 120_000);

  it('the rollback, service by service, loses nothing either', async () => {
    await roll(() => true, 'old');
    expect(fleet.names.map((name) => fleet.versionOf(name))).not.toContain('new');
    await Promise.all(
      byHand.map((account, n) => crossOver(fleet, account, 1 + (n % EDGES), 1 + (n % EDGES))),
    );
    await expectNothingLost();
  }, 120_000);

  it('each NOTIFY came from the notifier that the dialog is with, whichever build has sent it', () => {
    const strange = fleet.phones.flatMap(({ notifies }) =>
      notifies
        .map((notify) => notify.header('contact') ?? 'none')
        .filter((contact) => !OWN_CONTACT.test(contact)),
    );
    expect(strange).toEqual([]);
  });

  it('phones have seen nothing but 200, 401 and 503 with Retry-After', () => {
    expect([...devices.statuses.keys()].filter((status) => ![200, 401, 503].includes(status))).toEqual([]);
    expect(devices.withoutRetryAfter).toBe(0);
    expect(fleet.errors()).toEqual([]);
  });
});

const pidfOpen = /<(?:\w+:)?basic>open</;

/** A device registers through one edge; it is watched, asked for and unregistered through another. */
async function crossOver(
  fleet: Fleet,
  account: { readonly user: string; readonly password: string },
  here: number,
  there: number,
): Promise<void> {
  const [device, other] = [
    await fleet.phone(account, { edge: here }),
    await fleet.phone(account, { edge: there }),
  ];
  const watch = new Subscription(other, { event: 'presence', accept: 'application/pidf+xml' });
  expect((await watch.send()).status).toBe(200);
  const contact = `<${device.contact}>`;
  await register(device, [`Contact: ${contact}`, 'Expires: 600']);
  await told(watch, true);
  expect((await register(other, [])).header('contact')).toContain(device.contact);
  expect((await watch.send()).status).toBe(200);
  await register(other, [`Contact: ${contact};expires=0`]);
  await told(watch, false);
  expect((await register(device, [])).header('contact')).toBeUndefined();
  expect((await watch.send(0)).status).toBe(200);
}

async function register(phone: Phone, headers: readonly string[]) {
  const response = await phone.request('REGISTER', { headers });
  expect(response.status).toBe(200);
  return response;
}

const told = (watch: Subscription, open: boolean): Promise<boolean> =>
  eventually(
    open ? 'NOTIFY that it is there' : 'NOTIFY that it is gone',
    () => pidfOpen.test(watch.notifies.at(-1)?.body ?? '') === open,
    PATIENCE_MS,
  );
