import { readFileSync, readdirSync } from 'node:fs';

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Self time by function of every V8 profile in the folder that saw a service at work, most first. */
export function summarise(dir: string, rows = 18): string {
  const lines: string[] = [];
  for (const file of readdirSync(dir).filter((name) => name.endsWith('.cpuprofile'))) {
    const profile = JSON.parse(readFileSync(`${dir}/${file}`, 'utf8')) as CpuProfile;
    const names = new Map(profile.nodes.map((node) => [node.id, label(node.callFrame)]));
    const self = new Map<string, number>();
    profile.samples.forEach((id, index) => {
      const name = names.get(id) ?? '?';
      self.set(name, (self.get(name) ?? 0) + (profile.timeDeltas[index] ?? 0));
    });
    const service = [...names.values()].map((name) => /services\/([a-z]+)\//.exec(name)?.[1]).find(Boolean);
    self.delete('(idle) ');
    const busy = [...self.values()].reduce((sum, us) => sum + us, 0);
    if (service === undefined || busy < 1_000_000) continue;
    lines.push(`\n${service}: ${(busy / 1e6).toFixed(2)} s busy`);
    const sorted = [...self].sort((a, b) => b[1] - a[1]).slice(0, rows);
    for (const [name, us] of sorted) lines.push(`${((us * 100) / busy).toFixed(1).padStart(6)} %  ${name}`);
  }
  return lines.join('\n');
}

function label(frame: { functionName: string; url: string; lineNumber: number }): string {
  const place = frame.url.replace(/^.*\/(libs|services|node_modules)\//, '$1/').replace(/^node:/, 'node:');
  return `${frame.functionName || '(anonymous)'} ${place}${place === '' ? '' : `:${String(frame.lineNumber + 1)}`}`;
}
