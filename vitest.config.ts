import { defineConfig } from 'vitest/config';

/** Packages resolve to their TypeScript source, so that a test never sees a stale build. */
const source = { conditions: ['@rollcall/source', 'node', 'import', 'default'] };
const shared = { resolve: source, ssr: { resolve: source } };

const setupFiles = ['test/setup/fast-check.ts'];

/**
 * Tests of whole processes share the machine with what they start: one that fails is tried once more, and is then shown with
 * `(retry x1)`. A wrong program fails twice.
 */
const tries = { retry: 1 };

export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: {
          name: 'unit',
          include: [
            'libs/*/test/**/*.test.ts',
            'services/*/test/**/*.test.ts',
            'deploy/local/test/**/*.test.ts',
            'test/conformance/**/*.test.ts',
            'test/boundaries/**/*.test.ts',
          ],
          exclude: ['**/*.redis.test.ts', '**/node_modules/**', '**/dist/**'],
          setupFiles,
          testTimeout: 20_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'redis',
          include: ['libs/*/test/**/*.redis.test.ts', 'services/*/test/**/*.redis.test.ts'],
          ...tries,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          setupFiles,
          fileParallelism: false,
        },
      },
      {
        ...shared,
        test: {
          name: 'system',
          include: ['test/{system,interop,deploy,faults,chaos,upgrade}/**/*.test.ts'],
          // Processes are run as built: see that the build is not older than the source.
          globalSetup: ['test/system/build.ts'],
          ...tries,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          setupFiles,
          fileParallelism: false,
        },
      },
    ],
  },
});
