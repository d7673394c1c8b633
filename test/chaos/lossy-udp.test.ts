import { expect, test } from 'vitest';
import type { Aor } from '@rollcall/location';
import { numberedAccounts } from '@rollcall/local';
import { TestSystem } from '@rollcall/testkit';
import { Devices } from '../faults/devices.ts';
import { addFindings, Ledger, noFindings } from '../faults/ledger.ts';
import { LossyUdp } from './lossy-udp.ts';
import { SeededRandom } from './random.ts';

const DEVICES = 80;
const SEED = 20_261;
const CLEAN = { lost: 0, duplicated: 0, wrongExpiry: 0, alien: 0, examples: [] };

test('K13 one datagram in five lost, one in twenty doubled, one in five overtaken: each REGISTER has one effect, and its answer', async () => {
  const accounts = [...numberedAccounts(DEVICES)];
  const system = await TestSystem.start({ accounts, replicas: { registrar: 2 } });
  const losses = { lost: 0.2, doubled: 0.05, late: 0.2 };
  const edge = system.sip('udp');
  const proxy = await LossyUdp.start(edge, losses, new SeededRandom(SEED));
  const ledger = new Ledger();
  const devices = await Devices.start({
    ...{ accounts, domain: system.domain, ledger, thinkMs: 50 },
    edges: [{ host: edge.host, port: proxy.port }],
  });
  try {
    await devices.acknowledge(3 * DEVICES);
    await devices.hold();
    const store = await system.store();
    const findings = noFindings();
    for (const aor of ledger.aors()) {
      const { bindings } = await store.location.read(aor as Aor);
      addFindings(findings, ledger.check(aor, bindings, Date.now()));
    }
    expect(findings).toEqual(CLEAN);
    // Six tries of 64 in 100 each: one request in 460 has no answer, and may have been carried out.
    expect(ledger.unanswered).toBeLessThan(DEVICES / 8);
    expect([...devices.statuses.keys()].filter((status) => ![200, 401].includes(status))).toEqual([]);
    expect(Math.min(proxy.lost, proxy.doubled, proxy.late)).toBeGreaterThan(20);
  } finally {
    await devices.stop();
    proxy.stop();
    await system.stop();
  }
}, 120_000);
