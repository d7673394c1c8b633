import { SECURITY_HEADERS } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import { open } from '../auth/access.ts';
import { readAssets } from '../ui/assets.ts';
import type { Asset } from '../ui/assets.ts';

/** Everything from here and nothing else: no other host, no inline script or style, no text that becomes markup. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const NOT_BUILT = Buffer.from(
  '<!doctype html><html lang="en"><meta charset="utf-8"><title>Rollcall</title><p>The web UI has not been built: ' +
    '<code>npm run build</code>. The API is described at <a href="/docs">/docs</a>.</p></html>',
);

const placeholder = (): Asset => ({
  url: '/',
  type: 'text/html; charset=utf-8',
  bytes: NOT_BUILT,
  gzip: NOT_BUILT,
  etag: '"not-built"',
  immutable: false,
});

const ONE_YEAR = 'public, max-age=31536000, immutable';

/** The web UI. */
export function uiRoutes(app: ApiApp, assets: readonly Asset[] = readAssets()): void {
  for (const asset of assets.length === 0 ? [placeholder()] : assets) {
    const { url, type, bytes, gzip, etag, immutable } = asset;
    app.get(url, {
      schema: { hide: true },
      config: open(),
      handler: (request, reply) => {
        const packed = bytes !== gzip && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
        void reply.headers({
          ...SECURITY_HEADERS,
          'content-security-policy': PAGE_POLICY,
          'cache-control': immutable ? ONE_YEAR : 'no-cache',
          vary: 'accept-encoding',
          etag,
          ...(packed ? { 'content-encoding': 'gzip' } : {}),
        });
        if (request.headers['if-none-match'] === etag) return reply.code(304).send();
        return reply.type(type).send(packed ? gzip : bytes);
      },
    });
  }
}
