import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

export interface Processors {
  /** For the system, as `taskset -c` takes them; undefined where there is only one, or no `taskset`. */
  readonly system: string | undefined;
  /** For whoever loads it. */
  readonly load: string | undefined;
}

/** The last processor for the load and all others for the system, so that neither takes the other's time. */
export function splitProcessors(): Processors {
  const last = availableParallelism() - 1;
  if (last < 1) return { system: undefined, load: undefined };
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' });
  } catch {
    return { system: undefined, load: undefined };
  }
  return { system: last === 1 ? '0' : `0-${String(last - 1)}`, load: String(last) };
}

/** Binds running processes, with all their threads. */
export function pin(pids: readonly number[], processors: string | undefined): void {
  if (processors === undefined) return;
  for (const pid of pids) execFileSync('taskset', ['-acp', processors, String(pid)], { stdio: 'ignore' });
}
