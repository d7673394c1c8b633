import { defineConfig } from 'vitest/config';

/** Packages resolve to their TypeScript source, so that a test never sees a stale build. */
const source = { conditions: ['@rollcall/source', 'module', 'node', 'import', 'default'] };
const shared = { resolve: source, ssr: { resolve: source } };

export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: { name: 'unit', include: ['libs/*/test/**/*.test.ts', 'services/*/test/**/*.test.ts', 'deploy/local/test/**/*.test.ts'], exclude: ['**/*.redis.test.ts'] },
      },
      {
        ...shared,
        test: { name: 'redis', include: ['libs/*/test/**/*.redis.test.ts', 'services/*/test/**/*.redis.test.ts'], testTimeout: 30_000, hookTimeout: 60_000, fileParallelism: false },
      },
      {
        ...shared,
        test: { name: 'system', include: ['test/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 120_000, fileParallelism: false },
      },
    ],
  },
});
