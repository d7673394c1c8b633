import { readFileSync, readdirSync } from 'node:fs';

/** Clock ticks a second of /proc/PID/stat; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** The process and all that it has started, as far as they live. */
export function processTree(root: number): number[] {
  const found: number[] = [];
  const todo = [root];
  for (let pid = todo.pop(); pid !== undefined; pid = todo.pop()) {
    found.push(pid);
    try {
      for (const task of readdirSync(`/proc/${String(pid)}/task`)) {
        const children = readFileSync(`/proc/${String(pid)}/task/${task}/children`, 'utf8');
        todo.push(...children.split(' ').filter(Boolean).map(Number));
      }
    } catch {
      // it ended while we looked
    }
  }
  return found;
}

/** User and system time of the processes so far, in seconds. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    try {
      const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // ended
    }
  }
  return ticks / TICKS_PER_SECOND;
}

/** Resident memory in MiB, and the command line's telling part, of one process. */
export function residentMemory(pid: number): { readonly name: string; readonly mib: number } | undefined {
  try {
    const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
    const words = readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').split('\0');
    const script = words.find((word) => word.includes('/services/'));
    const name = /services\/([a-z]+)\//.exec(script ?? '')?.[1] ?? words[0]?.split('/').pop() ?? String(pid);
    return { name, mib: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024 };
  } catch {
    return undefined;
  }
}

/** Busy seconds of all processors together, to tell what others took meanwhile. */
export function busySeconds(): number {
  const cpu = readFileSync('/proc/stat', 'utf8').split('\n')[0]?.split(/\s+/).slice(1).map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, soft = 0, steal = 0] = cpu;
  return (user + nice + system + irq + soft + steal) / TICKS_PER_SECOND;
}
