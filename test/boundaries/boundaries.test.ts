import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import { beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const eslint = new ESLint({ cwd: root });

/** Lints `code` as if it stood in `file` and returns the rules it breaks, those of style left out. */
async function brokenRules(file: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath: `${root}${file}` });
  if (result === undefined) throw new Error(`ESLint ignores ${file}`);
  const fatal = result.messages.find((message) => message.fatal);
  if (fatal !== undefined) throw new Error(fatal.message);
  return result.messages.map((message) => message.ruleId ?? 'unknown');
}

/** The first file makes ESLint read the whole program. */
const FIRST_PATIENCE_MS = 180_000;
beforeAll(() => brokenRules('libs/kernel/src/index.ts', 'export {};\n'), FIRST_PATIENCE_MS);

const arrows = '@nx/enforce-module-boundaries';
const imports = '@typescript-eslint/no-restricted-imports';

describe('layers: kernel < protocol < domain < adapters < services', () => {
  const forbidden: readonly (readonly [string, string])[] = [
    ['libs/kernel/src/index.ts', '@rollcall/sip'],
    ['libs/sip/src/index.ts', '@rollcall/location'],
    ['libs/digest/src/index.ts', '@rollcall/registration'],
    ['libs/location/src/index.ts', '@rollcall/store-redis'],
    ['libs/registration/src/index.ts', '@rollcall/telemetry'],
    ['libs/store-redis/src/index.ts', '@rollcall/sip-net'],
    ['libs/sip-net/src/index.ts', '@rollcall/telemetry'],
    ['libs/sip-net/src/index.ts', '@rollcall/edge'],
    ['services/edge/src/main.ts', '@rollcall/registrar'],
    ['services/edge/src/main.ts', '@rollcall/testkit'],
    ['deploy/local/src/index.ts', '@rollcall/edge'],
  ];
  it.each(forbidden)('%s may not import %s', async (file, wanted) => {
    expect(await brokenRules(file, `export * from '${wanted}';\n`)).toContain(arrows);
  });

  const allowed: readonly (readonly [string, string])[] = [
    ['libs/sip/src/index.ts', '@rollcall/kernel'],
    ['libs/registration/src/index.ts', '@rollcall/location'],
    ['libs/store-redis/src/index.ts', '@rollcall/location'],
    ['services/edge/src/main.ts', '@rollcall/sip-net'],
  ];
  it.each(allowed)('%s may import %s', async (file, wanted) => {
    expect(await brokenRules(file, `export * from '${wanted}';\n`)).not.toContain(arrows);
  });
});

describe('invariant 6: protocol and domain code names no clock, socket, process, environment or logger', () => {
  const cores = ['libs/sip/src/index.ts', 'libs/location/src/index.ts'];
  const forbidden: readonly (readonly [string, string])[] = [
    ['export const now = (): number => Date.now();', 'no-restricted-syntax'],
    ['export const today = (): Date => new Date();', 'no-restricted-syntax'],
    ['export const dice = (): number => Math.random();', 'no-restricted-syntax'],
    ["export const env = process.env['HOME'];", 'no-restricted-syntax'],
    ['export const pid = process.pid;', 'no-restricted-globals'],
    ['export const wait = (fn: () => void) => setTimeout(fn, 1);', 'no-restricted-globals'],
    ["console.log('x'); export {};", 'no-restricted-globals'],
    ["export { createSocket } from 'node:dgram';", imports],
    ["export { connect } from 'node:net';", imports],
    ["export { readFileSync } from 'node:fs';", imports],
    ["export { setTimeout } from 'node:timers/promises';", imports],
    ["export { connect } from 'net';", imports],
    ["export { pino } from 'pino';", imports],
  ];
  for (const file of cores) {
    it.each(forbidden)(`${file}: %s`, async (code, rule) => {
      expect(await brokenRules(file, `${code}\n`)).toContain(rule);
    });
    it(`${file} may use node:crypto`, async () => {
      const broken = await brokenRules(file, "export { createHmac } from 'node:crypto';\n");
      expect(broken).not.toContain(imports);
    });
  }
});

describe('invariant 7: one package for each outside library, and for the environment', () => {
  const forbidden: readonly (readonly [string, string, string])[] = [
    ['services/edge/src/main.ts', "export { Redis } from 'ioredis';", imports],
    ['libs/sip-net/src/index.ts', "export { Redis } from 'ioredis';", imports],
    ['libs/telemetry/src/index.ts', "export { Redis } from 'ioredis';", imports],
    ['services/edge/src/compose.ts', "export { trace } from '@opentelemetry/api';", imports],
    ['libs/store-redis/src/index.ts', "export { pino } from 'pino';", imports],
    ['services/admin/src/main.ts', "export { register } from 'prom-client';", imports],
    ['libs/sip-net/src/index.ts', "export { Srf } from 'drachtio-srf';", imports],
    ['services/edge/src/engine.ts', "export { createDrachtioFront } from '@rollcall/sip-drachtio';", imports],
    ['services/edge/src/main.ts', "export const home = process.env['HOME'];", 'no-restricted-syntax'],
    ['libs/telemetry/src/index.ts', "export const home = process.env['HOME'];", 'no-restricted-syntax'],
    ['services/edge/src/index.ts', "export { connectStore } from '@rollcall/store-redis';", imports],
  ];
  it.each(forbidden)('%s: %s', async (file, code, rule) => {
    expect(await brokenRules(file, `${code}\n`)).toContain(rule);
  });

  it('the owners may', async () => {
    expect(await brokenRules('libs/store-redis/src/index.ts', "export { Redis } from 'ioredis';\n")).toEqual(
      [],
    );
    expect(await brokenRules('libs/telemetry/src/index.ts', "export { pino } from 'pino';\n")).toEqual([]);
    expect(
      await brokenRules('libs/config/src/index.ts', "export const home = process.env['HOME'];\n"),
    ).toEqual([]);
    const types = "export type { Store } from '@rollcall/store-redis';\n";
    expect(await brokenRules('services/edge/src/index.ts', types)).not.toContain(imports);
  });
});

describe('style that lint holds', () => {
  const forbidden: readonly (readonly [string, string])[] = [
    ['export enum Colour { Red }', 'no-restricted-syntax'],
    ['export default 1;', 'no-restricted-exports'],
    ['export const x: any = 1;', '@typescript-eslint/no-explicit-any'],
    ['const f = async (): Promise<void> => { await f(); }; f();', '@typescript-eslint/no-floating-promises'],
    [
      "export const f = (x: 'a' | 'b'): number => { switch (x) { case 'a': return 1; } return 2; };",
      '@typescript-eslint/switch-exhaustiveness-check',
    ],
  ];
  it.each(forbidden)('%s', async (code, rule) => {
    expect(await brokenRules('libs/kernel/src/index.ts', `${code}\n`)).toContain(rule);
  });
});
