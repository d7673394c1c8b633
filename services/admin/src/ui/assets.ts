import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

/** A file of the web UI as it is sent. */
export interface Asset {
  /** Path under which it is served. */
  readonly url: string;
  readonly type: string;
  readonly bytes: Buffer;
  readonly gzip: Buffer;
  readonly etag: string;
  /** The name changes with the content. */
  readonly immutable: boolean;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Where `npm run build` puts the UI: beside the compiled service, whether it runs from source or not. */
const BUILT = fileURLToPath(new URL('../../dist/ui', import.meta.url));

/** The built UI; empty when it has not been built. */
export function readAssets(folder = BUILT): Asset[] {
  let files: string[];
  try {
    files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
  return files.flatMap((file) => {
    const type = TYPES[extname(file)];
    if (type === undefined) return [];
    const bytes = readFileSync(join(folder, file));
    const url = `/${file.replaceAll('\\', '/')}`;
    return [
      {
        url: url === '/index.html' ? '/' : url,
        type,
        bytes,
        gzip: gzipSync(bytes, { level: 9 }),
        etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
        immutable: url.startsWith('/assets/'),
      },
    ];
  });
}
