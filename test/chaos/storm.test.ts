import { expect, test } from 'vitest';
import type { Aor } from '@rollcall/location';
import { numberedAccounts } from '@rollcall/local';
import { TestSystem } from '@rollcall/testkit';
import { Devices } from '../faults/devices.ts';
import { addFindings, Ledger, noFindings } from '../faults/ledger.ts';

// What `npm run storm` does with 100,000 devices: all of them come back within two seconds, and none is known.
const DEVICES = 1000;
const WITHIN_MS = 2000;
const JITTER_PERCENT = 20;
const ASKED_S = 3600;
const PATIENCE_MS = 90_000;
const CLEAN = { lost: 0, duplicated: 0, wrongExpiry: 0, alien: 0, examples: [] };

test(
  'F04 K16 a thousand devices that come back at once are registered, all of them; their expiries lie apart',
  { timeout: 2 * PATIENCE_MS },
  async () => {
    const accounts = [...numberedAccounts(DEVICES)];
    const system = await TestSystem.start({
      accounts,
      replicas: { edge: 2, registrar: 2 },
      env: { registrar: { ROLLCALL_EXPIRES_JITTER: String(JITTER_PERCENT) } },
    });
    const ledger = new Ledger();
    const edges = system.plan.sip.filter(({ transport }) => transport === 'udp');
    const devices = await Devices.start({
      ...{ accounts, domain: system.domain, edges, ledger, thinkMs: WITHIN_MS },
    });
    try {
      // The first round takes each device once; those that were fastest come again before the last.
      await devices.acknowledge(DEVICES + DEVICES / 2, PATIENCE_MS);
      await devices.hold();
      const store = await system.store();
      const findings = noFindings();
      let registered = 0;
      for (const aor of ledger.aors()) {
        const { bindings } = await store.location.read(aor as Aor);
        registered += bindings.length > 0 ? 1 : 0;
        addFindings(findings, ledger.check(aor, bindings, Date.now()));
      }
      expect(findings).toEqual(CLEAN);
      // Some have said goodbye since: those are no loss, and the ledger knows them.
      expect(ledger.aors()).toHaveLength(DEVICES);
      expect(registered).toBeGreaterThan(DEVICES / 2);
      expect([...devices.statuses.keys()].filter((status) => ![200, 401, 503].includes(status))).toEqual([]);
      expect(devices.withoutRetryAfter).toBe(0);
      const granted = new Set<number>();
      for (const account of accounts.slice(0, 20)) {
        const phone = await system.phone(account, { algorithms: ['MD5'] });
        const contacts = (await phone.register(ASKED_S)).contacts();
        const own =
          contacts.ok && contacts.value.kind === 'list'
            ? contacts.value.contacts.find(({ uriText }) => uriText === phone.contact)
            : undefined;
        granted.add(own?.expires ?? 0);
      }
      for (const seconds of granted) {
        expect(seconds).toBeGreaterThanOrEqual(ASKED_S * (1 - JITTER_PERCENT / 100) - 1);
        expect(seconds).toBeLessThanOrEqual(ASKED_S);
      }
      expect(granted.size).toBeGreaterThan(10);
    } finally {
      await devices.stop();
      await system.stop();
    }
  },
);
