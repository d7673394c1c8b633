import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { freePort } from '@rollcall/test-redis';
import type { Plan, PlannedService } from '../src/plan.ts';
import { System, waitReady } from '../src/system.ts';

const READY = `import { createServer } from 'node:http';
createServer((_request, response) => response.end('ready')).listen(process.env.PORT, '127.0.0.1');
`;

describe('services that die', () => {
  let root: string;
  let main: string;
  let said: string[];
  let system: System;

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'rollcall-system-'));
    mkdirSync(join(root, 'services/registrar/dist'), { recursive: true });
    writeFileSync(join(root, 'package.json'), '{"type":"module"}');
    main = join(root, 'services/registrar/dist/main.js');
    writeFileSync(main, READY);
    said = [];
    const opsPort = await freePort();
    const service: PlannedService = {
      ...{ kind: 'registrar', name: 'registrar-1', opsPort, ports: [] },
      env: { PORT: String(opsPort) },
    };
    system = new System({ services: [service] } as unknown as Plan, {
      ...{ root, folder: join(root, 'logs'), node: process.execPath, restart: true, restartDelayMs: 10 },
      say: (line) => said.push(line),
    });
    await system.start();
  });
  afterEach(async () => {
    await system.stop();
    rmSync(root, { recursive: true, force: true });
  });

  const only = (): System['services'][number] => system.services[0]!;
  const killOnce = async (): Promise<void> => {
    const { process } = only();
    process.kill('SIGKILL');
    await vi.waitUntil(() => only().process !== process, { timeout: 20_000 });
  };

  it('O01 one that is killed as soon as it runs is started again', async () => {
    await killOnce();
    await waitReady(only());
    await killOnce();
    await waitReady(only());
    expect(said).toEqual(Array.from({ length: 2 }, () => 'registrar-1 died (SIGKILL); starting it again'));
  });

  it('O01 one that dies five times in a row is left alone, and the user is told where its log is', async () => {
    writeFileSync(main, 'process.exit(3);\n');
    only().process.kill('SIGKILL');
    await vi.waitUntil(() => said.length === 5, { timeout: 20_000 });
    expect(said.slice(1, 4)).toEqual(
      Array.from({ length: 3 }, () => 'registrar-1 died (exit code 3); starting it again'),
    );
    expect(said[4]).toBe(
      `registrar-1 died (exit code 3) and is not started again; its log: ${join(root, 'logs', 'registrar-1.log')}`,
    );
  });
});
