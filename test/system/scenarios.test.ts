import { readdirSync, readFileSync } from 'node:fs';
import { parseScenarios, runScenario } from '@rollcall/registration/scenario';
import { TestSystem } from '@rollcall/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORTS } from './support.ts';
import { notOverTheWire, WireDriver } from './wire-driver.ts';

/** The scenarios that the pure core passes, once more through edge, registrar and Redis. */
const folder = new URL('../../libs/registration/scenarios/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.scn'));

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start({ accounts: [], replicas: { registrar: 2 } });
});
afterAll(() => system.stop());

describe.each(TRANSPORTS)('scenarios over %s', (transport) => {
  for (const file of files) {
    const all = parseScenarios(readFileSync(new URL(file, folder), 'latin1'));
    describe(file, () => {
      for (const scenario of all.filter((one) => notOverTheWire(one) === undefined)) {
        it(`${scenario.ids.join(' ')} ${scenario.title}`, async () => {
          expect(await runScenario(scenario, new WireDriver(system, transport))).toEqual({ failures: [] });
        });
      }
    });
  }
});

it('most scenarios can be played over the wire', () => {
  const all = files.flatMap((file) => parseScenarios(readFileSync(new URL(file, folder), 'latin1')));
  const left = all.filter((one) => notOverTheWire(one) !== undefined);
  expect(left.length).toBeLessThan(all.length / 5);
});
