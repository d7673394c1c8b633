import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Vitest's global setup for the system tests: the services are run as they are built. */
export function setup(): void {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  for (const command of [
    ['tsc', '-b', 'tsconfig.build.json'],
    ['vite', 'build', '--config', 'services/admin/ui/vite.config.ts'],
  ]) {
    const built = spawnSync('npx', command, { cwd: root, encoding: 'utf8' });
    if (built.status !== 0) process.stderr.write(`the build has problems:\n${built.stdout}${built.stderr}\n`);
  }
}
