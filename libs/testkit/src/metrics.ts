/** One line of a Prometheus exposition. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The samples of one scrape. */
export class Samples {
  constructor(readonly all: readonly Sample[]) {}

  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.all
      .filter(
        (one) =>
          one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value),
      )
      .reduce((sum, one) => sum + one.value, 0);
  }
}

/** Reads the Prometheus text format; comments are left out. */
export function readMetrics(text: string): Samples {
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    const match = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (match === null) continue;
    const [, name = '', labelText = '', value = ''] = match;
    const labels: Record<string, string> = {};
    for (const [, key = '', shown = ''] of labelText.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
      labels[key] = shown;
    samples.push({ name, labels, value: Number(value) });
  }
  return new Samples(samples);
}
