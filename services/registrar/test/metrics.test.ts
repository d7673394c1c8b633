import { readFileSync } from 'node:fs';
import { REGISTER_REFUSALS } from '@rollcall/registration';
import { createMetrics, METRICS } from '@rollcall/telemetry';
import { expect, test } from 'vitest';
import { exposeMetrics } from '../src/metrics.ts';
import { register, Replica, World } from './support.ts';

test('labels of refusals are those of docs/refusals.md, whatever a packet holds', async () => {
  const world = new World();
  const replica = new Replica(world);
  await new Promise((resolve) => setImmediate(resolve));
  const hostile = ['Contact: <sip:a"} 1@h>;expires=5', 'Require: x"}', 'Contact: *', 'Expires: "} 1'];
  for (const [i, line] of hostile.entries()) {
    await replica.send(register({ callId: `c${String(i)}`, lines: [line] }));
    await replica.send(register({ callId: `m${String(i)}`, lines: [line], method: 'HOSTILE' }));
    await replica.send(register({ callId: `i${String(i)}`, lines: [line], identity: 'eve"}' }));
  }
  const metrics = createMetrics({ defaults: false });
  exposeMetrics(metrics, METRICS, {
    counters: replica.counters,
    memory: replica.memory,
    handler: replica.handler,
    connections: () => 0,
    stats: () => ({ calls: 0, failures: 0, timeouts: 0, pending: 0 }) as never,
    storeUp: () => true,
  });
  const text = await metrics.text();
  const samples = [...text.matchAll(/^rollcall_sip_refusals_total\{reason="([^"]*)"\} (\d+)$/gm)];
  const page = readFileSync(new URL('../../../docs/refusals.md', import.meta.url), 'utf8');
  const section = page.split(/^## /m).find((part) => part.startsWith('Registrar')) ?? '';
  const documented = [...section.matchAll(/^\| \d{3} \|.*?`([a-z-]+)`/gm)].map(([, label]) => label);
  expect(documented.sort()).toEqual(Object.keys(REGISTER_REFUSALS).sort());
  expect(samples.map(([, reason]) => reason).sort()).toEqual(documented);
  expect(samples.filter(([, , count]) => Number(count) > 0).length).toBeGreaterThan(2);
});
