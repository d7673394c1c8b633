import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from '@rollcall/testkit';

const NAME_LENGTH = 12;
const ARCHIVE_BYTES = 2 ** 28;
/** What the services are made from, tests and pages left out. */
const PARTS = [
  'package.json',
  'tsconfig.base.json',
  'tsconfig.build.json',
  'libs',
  'services',
  'deploy/local',
];
/** Folders of the workspaces, as `workspaces` in package.json names them. */
const WORKSPACES = ['libs', 'services'];

/**
 * A commit's services, built: the folder that holds them, `.cache/previous/<commit>`. The first call takes them out of the history and compiles
 * them without checking types again; packages from outside are those of this tree. Throws when the history does not reach so far.
 */
export function buildPrevious(commit: string): string {
  const folder = join(ROOT, '.cache', 'previous', commit.slice(0, NAME_LENGTH));
  if (existsSync(folder)) return folder;
  const known = run('git', ['cat-file', '-e', `${commit}^{commit}`]);
  if (known.status !== 0) {
    const why = known.stderr.toString().trim();
    throw new Error(
      `the previous build, commit ${commit}, is not in this clone: fetch the whole history (git fetch --unshallow). ${why}`,
    );
  }
  const made = `${folder}.${String(process.pid)}`;
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made, { recursive: true });
  const archive = run('git', ['archive', '--format=tar', commit, '--', ...PARTS]);
  mustWork('git archive', archive);
  mustWork('tar', run('tar', ['-x', '-C', made], { input: archive.stdout }));
  linkWorkspaces(made);
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  mustWork('tsc', run(process.execPath, [tsc, '-b', 'tsconfig.build.json', '--noCheck'], { cwd: made }));
  // Whole or not at all: another run may have been quicker.
  if (existsSync(folder)) rmSync(made, { recursive: true });
  else renameSync(made, folder);
  return folder;
}

/** Its packages find each other in a `node_modules` of their own, and all others in that of the tree around them. */
function linkWorkspaces(folder: string): void {
  const scope = join(folder, 'node_modules', '@rollcall');
  mkdirSync(scope, { recursive: true });
  const packages = WORKSPACES.flatMap((parent) =>
    readdirSync(join(folder, parent)).map((name) => join(folder, parent, name)),
  );
  for (const path of [...packages, join(folder, 'deploy', 'local')]) {
    const { name } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as { name: string };
    symlinkSync(relative(scope, path), join(folder, 'node_modules', name));
  }
}

const run = (command: string, args: readonly string[], more: { input?: Buffer; cwd?: string } = {}) =>
  spawnSync(command, args, { cwd: ROOT, maxBuffer: ARCHIVE_BYTES, ...more });

function mustWork(what: string, { status, stdout, stderr }: ReturnType<typeof run>): void {
  if (status === 0) return;
  throw new Error(`${what} failed: ${stderr.toString()}${stdout.subarray(0, 2000).toString()}`);
}
