import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

/** The web UI, built into the folder of the compiled service, which serves it. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: '/',
  logLevel: 'warn',
  build: {
    outDir: fileURLToPath(new URL('../dist/ui', import.meta.url)),
    // The compiled service has a file of its own in there, which tsc would not write again.
    emptyOutDir: false,
    target: 'es2022',
    // The policy of the page allows no inline script; every browser that runs ES2022 preloads modules by itself.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
});
