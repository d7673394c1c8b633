import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CoreDriver, parseScenarios, runScenario, ScenarioSyntax } from '../src/scenario/index.ts';

const folder = new URL('../scenarios/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.scn'));

for (const file of files) {
  describe(`scenarios/${file} on the core`, () => {
    for (const scenario of parseScenarios(readFileSync(new URL(file, folder), 'latin1'))) {
      test(`${scenario.ids.join(' ')} ${scenario.title}`, async () => {
        expect(await runScenario(scenario, new CoreDriver())).toEqual({ failures: [] });
      });
    }
  });
}

describe('the scenario runner', () => {
  const play = async (text: string): Promise<readonly string[]> => {
    const [scenario] = parseScenarios(text);
    return (await runScenario(scenario!, new CoreDriver())).failures;
  };

  test('a wrong status, a wrong refusal, a missing contact and a wrong state are failures with their lines', async () => {
    const failures = await play(
      [
        '; X01 nothing here is right',
        '> REGISTER contact <sip:a@192.0.2.1>',
        '< 403 contacts 2 contact <sip:a@192.0.2.9> date absent',
        '< refused stale-cseq',
        'then alice -> nothing',
        'then alice -> <sip:a@192.0.2.1> expires +17',
      ].join('\n'),
    );
    expect(failures.map((failure) => failure.slice(0, 7))).toEqual([
      'line 3:',
      'line 3:',
      'line 3:',
      'line 3:',
      'line 4:',
      'line 5:',
    ]);
  });

  test('a file that does not follow the grammar says where', () => {
    for (const line of [
      '> INVITE to bob',
      'given alice -> nothing',
      'policy foo 1',
      '< what',
      '> REGISTER cseq x',
    ]) {
      expect(() => parseScenarios(`; X01 broken\n${line}`)).toThrow(ScenarioSyntax);
    }
    expect(() => parseScenarios('user alice')).toThrow(/begins with a comment/);
  });
});
