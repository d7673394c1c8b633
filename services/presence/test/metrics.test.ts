import { readFileSync } from 'node:fs';
import { REFUSALS, standardPackages } from '@rollcall/events';
import { Gruus } from '@rollcall/location';
import { REASON_PHRASES } from '@rollcall/sip';
import { createMetrics, METRICS } from '@rollcall/telemetry';
import { describe, expect, test } from 'vitest';
import { exposeMetrics } from '../src/metrics.ts';
import { World } from './harness/world.ts';

async function textOf(world: World, laterEntries = 0): Promise<string> {
  const metrics = createMetrics({ defaults: false });
  exposeMetrics(metrics, METRICS, {
    core: world.replicas[0]!,
    stats: () => ({ calls: 0, failures: 0, timeouts: 0, pending: 0 }),
    storeUp: () => true,
    laterEntries: () => laterEntries,
    connections: () => 0,
    linkPending: () => 0,
  });
  return metrics.text();
}

/** Values of a label of a metric, as Prometheus reads them. */
async function valuesOf(world: World, metric: string, label: string): Promise<readonly string[]> {
  const samples = [...(await textOf(world)).matchAll(new RegExp(`^${metric}\\{(.*)\\} \\d+$`, 'gm'))];
  const values = samples.map(([, labels = '']) => new RegExp(`(?:^|,)${label}="([^"]*)"`).exec(labels)?.[1]);
  return [...new Set(values.map((value) => value ?? ''))];
}

test('entries of a later version that are left to it are counted', async () => {
  expect(await textOf(new World(), 7)).toMatch(new RegExp(`^${METRICS.laterEntries} 7$`, 'm'));
});

describe('labels come from closed sets, whatever a packet holds', () => {
  test('of refusals: the labels of docs/refusals.md', async () => {
    const world = new World();
    for (const event of ['presence', 'x"} 1\\n', 'nothing', undefined]) {
      for (const expires of [600, 5]) await world.subscribe({ event, expires, to: 'nobody', as: 'eve' });
    }
    await world.subscribe({ accept: 'text/nothing' });
    await world.publish('', { event: 'a,b="c"' });
    await world.publish('<', {});
    await world.request(
      'HOSTILE`~ sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n' +
        'From: <sip:a@example.test>;tag=1\r\nTo: <sip:b@example.test>\r\nCall-ID: c\r\nCSeq: 1 HOSTILE`~\r\n\r\n',
    );
    const seen = await valuesOf(world, METRICS.sipRefusals, 'reason');
    expect(seen.length).toBeGreaterThan(4);
    expect(seen.filter((label) => !(label in REFUSALS))).toEqual([]);
    const page = readFileSync(new URL('../../../docs/refusals.md', import.meta.url), 'utf8');
    const section = page.split(/^## /m).find((part) => part.startsWith('Presence')) ?? '';
    for (const label of Object.keys(REFUSALS)) expect(section).toContain(`\`${label}\``);
    expect(await valuesOf(world, METRICS.sipRequestsReceived, 'method')).toEqual([
      'SUBSCRIBE',
      'PUBLISH',
      'other',
    ]);
  });

  test('of NOTIFYs: packages, and statuses that have a name', async () => {
    const world = new World();
    for (const status of [200, 299, 404, 499, 555, 599, 699]) {
      world.autoAnswer = status;
      await world.subscribe({ callId: `c${String(status)}` });
    }
    const packages = standardPackages({ gruus: new Gruus('a secret of the test') });
    const events = await valuesOf(world, METRICS.notifications, 'event');
    expect(events.filter((event) => packages.find(event) === undefined)).toEqual([]);
    const statuses = await valuesOf(world, METRICS.notifications, 'status');
    expect(statuses).toContain('200');
    expect(statuses).toContain('4xx');
    const known = new Set([...Object.keys(REASON_PHRASES), '2xx', '3xx', '4xx', '5xx', '6xx']);
    expect(statuses.filter((status) => !known.has(status))).toEqual([]);
  });
});
