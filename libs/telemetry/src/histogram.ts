interface Reading {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** A histogram whose `observe` is a short scan and two additions: no labels to hash, nothing allocated. */
export class FixedHistogram {
  readonly #bounds: Float64Array;
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(
    private readonly name: string,
    buckets: readonly number[],
    private readonly labels: Readonly<Record<string, string | number>>,
  ) {
    this.#bounds = Float64Array.from(buckets).sort();
    this.#counts = new Float64Array(buckets.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? Infinity)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
  }

  /** Samples in Prometheus' cumulative form: `_bucket` with `le`, `_sum`, `_count`. */
  read(): Reading[] {
    let total = 0;
    const samples = Array.from(this.#counts, (count, index): Reading => {
      total += count;
      const le = index < this.#bounds.length ? (this.#bounds[index] ?? Infinity) : '+Inf';
      return { metricName: `${this.name}_bucket`, labels: { ...this.labels, le }, value: total };
    });
    samples.push({ metricName: `${this.name}_sum`, labels: this.labels, value: this.#sum });
    samples.push({ metricName: `${this.name}_count`, labels: this.labels, value: total });
    return samples;
  }
}
