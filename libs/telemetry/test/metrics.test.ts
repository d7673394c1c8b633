import { describe, expect, it } from 'vitest';
import { createMetrics, METRICS, SECONDS_BUCKETS } from '../src/index.ts';

describe('metrics', () => {
  it('counts, gauges and collects in the text format', async () => {
    const metrics = createMetrics({ defaults: false });
    const counter = metrics.counter('c_total', 'Counted.', ['method']);
    counter.inc({ method: 'REGISTER' });
    counter.inc({ method: 'REGISTER' }, 2);
    metrics.gauge('g', 'Read.', () => 7);
    const fields = { udp: 3, tcp: 4 };
    metrics.collect('k_total', 'Collected.', 'counter', () =>
      Object.entries(fields).map(([transport, value]) => ({ labels: { transport }, value })),
    );
    metrics.collect('k_total', 'Collected.', 'counter', () => [{ labels: { transport: 'tls' }, value: 1 }]);
    const text = await metrics.text();
    expect(text).toContain('# TYPE c_total counter\nc_total{method="REGISTER"} 3');
    expect(text).toContain('# TYPE g gauge\ng 7');
    expect(text).toContain(
      'k_total{transport="udp"} 3\nk_total{transport="tcp"} 4\nk_total{transport="tls"} 1',
    );
    fields.udp += 1;
    expect(await metrics.text()).toContain('k_total{transport="udp"} 4');
  });

  it('prints a histogram cumulatively, one series for each set of labels', async () => {
    const metrics = createMetrics({ defaults: false });
    const register = metrics.histogram('h_seconds', 'Timed.', [0.1, 1], { method: 'REGISTER' });
    for (const value of [0.05, 0.1, 0.5, 3]) register.observe(value);
    metrics.histogram('h_seconds', 'Timed.', [0.1, 1], { method: 'INVITE' }).observe(1);
    const text = await metrics.text();
    expect(text.match(/# TYPE h_seconds histogram/g)).toHaveLength(1);
    for (const line of [
      'h_seconds_bucket{method="REGISTER",le="0.1"} 2',
      'h_seconds_bucket{method="REGISTER",le="1"} 3',
      'h_seconds_bucket{method="REGISTER",le="+Inf"} 4',
      'h_seconds_sum{method="REGISTER"} 3.65',
      'h_seconds_count{method="REGISTER"} 4',
      'h_seconds_count{method="INVITE"} 1',
    ]) {
      expect(text).toContain(line);
    }
  });

  it('F08 a hostile label value cannot end the line', async () => {
    const metrics = createMetrics({ defaults: false });
    metrics.collect('k', 'K.', 'gauge', () => [{ labels: { a: 'x"} 1\nevil 2' }, value: 1 }]);
    expect(await metrics.text()).toContain('k{a="x\\"} 1\\nevil 2"} 1');
  });

  it('O03 shows the process: event-loop lag, heap, resident memory; and lists no handles', async () => {
    const text = await createMetrics().text();
    for (const name of [
      'nodejs_eventloop_lag_p99_seconds',
      'nodejs_heap_size_used_bytes',
      'process_resident_memory_bytes',
    ]) {
      expect(text).toContain(`# TYPE ${name} gauge`);
    }
    expect(text).not.toContain('nodejs_active_handles');
  });

  it('has names that Prometheus takes, each once', () => {
    const names = Object.values(METRICS);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^rollcall_[a-z]+(_[a-z]+)*$/);
    expect([...SECONDS_BUCKETS].sort((a, b) => a - b)).toEqual(SECONDS_BUCKETS);
  });
});
