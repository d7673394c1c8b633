import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ALICE, eventually, ROOT, TestSystem } from '@rollcall/testkit';

const PATIENCE_MS = 30_000;
/** Every write to it fails with ENOSPC. */
const FULL = '/dev/full';
const SERVICES = ['registrar-1', 'edge-1'] as const;

let system: TestSystem;
const children: ChildProcess[] = [];

beforeAll(async () => {
  system = await TestSystem.start({ env: { all: { ROLLCALL_LOG_LEVEL: 'debug' } } });
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await system.stop();
});

test(
  'K11 services whose log goes to a full disk serve all the same',
  { timeout: 2 * PATIENCE_MS },
  async () => {
    const full = openSync(FULL, 'w');
    for (const name of SERVICES) {
      await system.service(name).process.stop();
      const { planned } = system.service(name);
      const main = join(ROOT, 'services', planned.kind, 'dist', 'main.js');
      children.push(
        spawn(process.execPath, [main], {
          stdio: ['ignore', full, full],
          env: { PATH: process.env['PATH'] ?? '', ...planned.env },
        }),
      );
      const ready = async (): Promise<boolean> =>
        (await fetch(system.opsUrl(name, '/readyz')).catch(() => undefined))?.ok ?? false;
      await eventually(`${name} without a log`, ready, PATIENCE_MS);
    }
    closeSync(full);
    const phone = await system.phone(ALICE);
    for (let n = 0; n < 20; n += 1) expect((await phone.register(600)).status).toBe(200);
    expect((await phone.register(0)).status).toBe(200);
    expect(children.map(({ exitCode, signalCode }) => [exitCode, signalCode])).toEqual([
      [null, null],
      [null, null],
    ]);
  },
);
