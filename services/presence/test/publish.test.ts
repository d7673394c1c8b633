import { describe, expect, test } from 'vitest';
import { World, bob, shown } from './harness/world.ts';

const pidf = (basic: string, id = 't1', extra = ''): string =>
  `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@example.test"><tuple id="${id}"><status><basic>${basic}</basic></status>${extra}</tuple></presence>`;

describe('PUBLISH, RFC 3903 §6', () => {
  test('S15 initial, refresh, modify, remove: a new entity-tag each, and one NOTIFY for each change', async () => {
    const world = new World();
    await world.subscribe();
    const first = await world.publish(pidf('open', 't1', '<note>at my desk &amp; well</note>'));
    expect([first.status, first.header('expires')]).toEqual([200, '600']);
    await world.work();
    expect(shown(world.last).body).toContain('<note>at my desk &amp; well</note>');
    const etags = [first.header('sip-etag')];
    const step = async (body: string, expires = 600) => {
      const headers = `Expires: ${String(expires)}\r\nSIP-If-Match: ${etags.at(-1) ?? ''}\r\n`;
      const response = await world.publish(body, { headers });
      expect(response.status).toBe(200);
      etags.push(response.header('sip-etag'));
      await world.work();
      return world.notifies.length;
    };
    expect(await step('')).toBe(2);
    expect(await step(pidf('closed'))).toBe(3);
    expect(await step('', 0)).toBe(4);
    expect(new Set(etags).size).toBe(4);
    expect(await world.events.readPublications(bob)).toEqual({ version: 0, publications: [] });
  });

  test('S15 a wrong entity-tag: 412; the old one of a modified publication too', async () => {
    const world = new World();
    const etag = (await world.publish(pidf('open'))).header('sip-etag') ?? '';
    const matching = `Expires: 600\r\nSIP-If-Match: ${etag}\r\n`;
    expect((await world.publish(pidf('closed'), { headers: matching })).status).toBe(200);
    expect((await world.publish(pidf('open'), { headers: matching })).status).toBe(412);
    expect((await world.publish('', { headers: 'SIP-If-Match: nonsense\r\n' })).status).toBe(412);
  });

  test('S15 no body at first: 400; another type: 415 with Accept; too brief: 423; unknown event: 489', async () => {
    const world = new World();
    expect((await world.publish('')).status).toBe(400);
    const type = await world.publish('x', { type: 'text/plain' });
    expect([type.status, type.header('accept')]).toEqual([415, 'application/pidf+xml']);
    const brief = await world.publish(pidf('open'), { headers: 'Expires: 5\r\n' });
    expect([brief.status, brief.header('min-expires')]).toEqual([423, '60']);
    const event = await world.publish(pidf('open'), { event: 'asterisk-devicestate' });
    expect([event.status, event.header('allow-events')]).toEqual([489, expect.stringContaining('dialog')]);
    expect((await world.publish(pidf('open'), { event: 'reg' })).status).toBe(489);
  });

  test('only the owner publishes: 403, and 404 for nobody', async () => {
    const world = new World();
    expect((await world.publish(pidf('open'), { as: 'alice' })).status).toBe(403);
    expect((await world.publish(pidf('open'), { as: 'nobody', to: 'nobody' })).status).toBe(404);
  });

  test('S16 two devices publish, one expires: composed, the other stays', async () => {
    const world = new World();
    await world.subscribe();
    await world.publish(pidf('open'), { headers: 'Expires: 60\r\n' });
    await world.publish(pidf('closed'), { headers: 'Expires: 600\r\n' });
    await world.work();
    expect(shown(world.last).body.match(/<tuple /g)).toHaveLength(2);
    expect(shown(world.last).body).toContain('<tuple id="t1.2">');
    const before = world.notifies.length;
    await world.pass(61_000);
    await world.work();
    expect(world.notifies).toHaveLength(before + 1);
    expect(shown(world.last).body.match(/<tuple /g)).toHaveLength(1);
    expect(shown(world.last).body).toContain('<basic>closed</basic>');
  });

  test('what is published stands before what registrations suggest, and these come back after it', async () => {
    const world = new World();
    await world.register('registered');
    await world.subscribe();
    expect(shown(world.last).body).toContain('<basic>open</basic>');
    const etag = (await world.publish(pidf('closed'))).header('sip-etag') ?? '';
    await world.work();
    expect(shown(world.last).body).not.toContain('<basic>open</basic>');
    await world.publish('', { headers: `Expires: 0\r\nSIP-If-Match: ${etag}\r\n` });
    await world.work();
    expect(shown(world.last).body).toContain('<basic>open</basic>');
  });

  test.each([
    ['a document type', `<!DOCTYPE p [<!ENTITY a "b">]>${pidf('open').slice(21)}`],
    ['another namespace', pidf('open').replace('urn:ietf:params:xml:ns:pidf', 'urn:x')],
    ['no XML', 'open'],
    ['no tuple id', pidf('open').replace(' id="t1"', '')],
    ['a status that is neither', pidf('ajar')],
  ])('S26 %s: 400', async (_, body) => {
    const world = new World();
    expect((await world.publish(body)).status).toBe(400);
  });

  test('the store away: 503 with Retry-After', async () => {
    const world = new World();
    world.storeUp = false;
    const response = await world.publish(pidf('open'));
    expect([response.status, response.header('retry-after')]).toEqual([503, '2']);
  });
});
