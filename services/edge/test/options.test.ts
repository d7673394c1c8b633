import { describe, expect, it } from 'vitest';
import { RECIPIENT_LIST, RESOURCE_LISTS, standardPackages } from '@rollcall/events';
import { BOB, call, withBob } from './call-world.ts';
import { draft, world } from './world.ts';

describe('OPTIONS', () => {
  it('E16 to the edge is answered, to an AoR proxied', async () => {
    const edge = await withBob(['t1']);
    for (const uri of ['sip:example.test', 'sip:198.51.100.1', 'sip:198.51.100.1:5060;transport=tcp']) {
      const { answer } = edge.send(draft({ method: 'OPTIONS', uri, to: `<${uri}>` }));
      expect(answer.status).toBe(200);
      expect(answer.header('allow')).toContain('REGISTER');
    }
    await call(edge, { method: 'OPTIONS' });
    expect(edge.front.last.flow.id).toBe('t1');
  });

  it('E16 what is served is told: the packages of presence and the bodies that they take', async () => {
    const packages = standardPackages({ profileUrl: 'https://boot.example.test/{mac}' });
    const options = draft({ method: 'OPTIONS', uri: 'sip:example.test', to: '<sip:example.test>' });
    const { answer } = (await world({ profiles: true })).send(options);
    expect(answer.header('allow-events')).toBe(packages.allowEvents);
    const known = packages.allowEvents.split(', ').flatMap((name) => packages.find(name) ?? []);
    const taken = known.flatMap((one) => [...(one.publication?.types ?? []), ...(one.command?.types ?? [])]);
    const accepted = answer.header('accept')?.split(', ');
    expect(new Set(accepted)).toEqual(new Set(['application/sdp', RESOURCE_LISTS, ...taken]));
    for (const name of ['allow', 'accept-encoding', 'accept-language']) expect(answer.has(name)).toBe(true);
    expect(answer.options('supported')).toEqual(
      expect.arrayContaining(['path', 'outbound', 'gruu', 'eventlist', RECIPIENT_LIST]),
    );
    const plain = (await world()).send(options).answer;
    expect(plain.header('allow-events')).toBe(standardPackages().allowEvents);
  });

  it('C10 with Max-Forwards 0 is answered here, as a proxy: nothing is said of methods and packages', async () => {
    const edge = await withBob(['t1']);
    const { answer } = edge.send(draft({ method: 'OPTIONS', uri: BOB, maxForwards: 0 }));
    expect([answer.status, answer.has('accept')]).toEqual([200, true]);
    expect([answer.has('allow'), answer.has('allow-events')]).toEqual([false, false]);
  });
});
