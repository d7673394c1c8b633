import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseScenarios, runScenario } from '@rollcall/registration/scenario';
import { ServiceDriver } from './service-driver.ts';

const folder = new URL('../../../libs/registration/scenarios/', import.meta.url);

for (const file of readdirSync(folder).filter((name) => name.endsWith('.scn'))) {
  describe(`${file} over two registrars`, () => {
    for (const scenario of parseScenarios(readFileSync(new URL(file, folder), 'latin1'))) {
      test(`${scenario.ids.join(' ')} ${scenario.title}`, async () => {
        expect(await runScenario(scenario, new ServiceDriver())).toEqual({ failures: [] });
      });
    }
  });
}
