import { PROBE_ASK, readProbe } from '@rollcall/trace';
import { describe, expect, test } from 'vitest';
import { tagOf, World } from './harness/world.ts';

const PIDF =
  '<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@example.test">' +
  '<tuple id="t1"><status><basic>open</basic></status></tuple></presence>';
const asking = { headers: PROBE_ASK };

describe('A10 what presence tells of a request that is looked at', () => {
  test('A10 a SUBSCRIBE and a PUBLISH tell when they were committed and how long it took', async () => {
    const world = new World();
    const subscribed = await world.subscribe(asking);
    const published = await world.publish(PIDF, { headers: `Expires: 600\r\n${PROBE_ASK}` });
    for (const answer of [subscribed, published]) {
      expect(answer.status).toBe(200);
      const report = readProbe(answer.raw);
      expect(report?.outcome).toBe('committed');
      expect(report?.commitAt).toBeGreaterThanOrEqual(0);
      expect(report?.commitTook).toBeGreaterThanOrEqual(0);
      expect(report?.total).toBeGreaterThanOrEqual((report?.commitAt ?? 0) + (report?.commitTook ?? 0));
    }
  });

  test('A10 a commit that met the change of another replica is counted', async () => {
    const world = new World(2);
    const first = await world.subscribe();
    const toTag = tagOf(first);
    await world.subscribe({ toTag, cseq: 2 }, 1);
    // The first replica remembers a record that is no longer the store's.
    const answer = await world.subscribe({ toTag, cseq: 3, ...asking });
    expect(readProbe(answer.raw)).toMatchObject({ outcome: 'committed', conflicts: 1 });
  });

  test('A10 nothing is committed for a fetch, and a refusal tells its row', async () => {
    const world = new World();
    const fetched = readProbe((await world.subscribe({ expires: 0, ...asking })).raw);
    expect(fetched?.outcome).toBe('unchanged');
    expect(fetched?.commitAt).toBeUndefined();
    const refused = await world.subscribe({ expires: 5, ...asking });
    expect(readProbe(refused.raw)?.outcome).toBe('interval-too-brief');
    world.storeUp = false;
    const away = await world.publish(PIDF, { headers: `Expires: 600\r\n${PROBE_ASK}` });
    expect([away.status, readProbe(away.raw)?.outcome]).toEqual([503, 'store-unavailable']);
  });

  test('A10 who does not ask is told nothing', async () => {
    expect(readProbe((await new World().subscribe()).raw)).toBeUndefined();
  });
});
