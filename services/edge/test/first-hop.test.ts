import { describe, expect, it } from 'vitest';
import { bobWith, call, flowsOf } from './call-world.ts';
import { authorization, draft, FakeFlow, nonceOf, settle, world } from './world.ts';
import type { CoreOptions } from '../src/core.ts';

const OUTER = '<sip:sbc.example.test;lr>';
const TWO_HOPS =
  'SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKouter;rport\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKphone';

/** The Path that the registrar gets for a REGISTER from this address. */
async function pathsOf(
  change: { readonly via?: string; readonly headers?: string },
  address = '192.0.2.7',
  options: Partial<CoreOptions> = {},
): Promise<readonly string[]> {
  const edge = await world(options);
  edge.store.addUser('alice', 'secret');
  const flow = new FakeFlow('u0-c0000207-5060', 'udp', { address, port: 5_060 });
  const nonce = nonceOf(edge.send(draft(), flow).answer);
  edge.send(draft({ ...change, headers: `${change.headers ?? ''}${authorization({ nonce })}` }), flow);
  await settle();
  return edge.registrar.only.headers('path');
}

describe('the way that a REGISTER came', () => {
  it('B26 B27 RFC 5626 §5.1: only the first hop behind the phone says that outbound works', async () => {
    expect(await pathsOf({})).toEqual([expect.stringMatching(/;lr;ob>$/)]);
    const behind = await pathsOf({ via: TWO_HOPS });
    expect(behind).toEqual([expect.stringMatching(/;lr>$/)]);
    expect(await pathsOf({ via: TWO_HOPS.replace('\r\nVia: ', ', ') })).toEqual([
      expect.stringMatching(/;lr>$/),
    ]);
  });

  it('B25 E14 the Path of a peer that is trusted stays below ours, that of anybody else is removed', async () => {
    const headers = `Path: ${OUTER}\r\n`;
    expect(await pathsOf({ via: TWO_HOPS, headers })).toHaveLength(1);
    const trusted = { trusted: { networks: ['192.0.2.7'], names: [] } };
    const paths = await pathsOf({ via: TWO_HOPS, headers }, '192.0.2.7', trusted);
    expect(paths).toEqual([expect.stringMatching(/;lr>$/), OUTER]);
  });
});

describe('RFC 5630 §5.3: SIPS', () => {
  const secure = { contact: 'sips:bob@10.0.0.1:5061;f=t1' };

  it('C05 a SIPS request goes to SIPS Contacts alone; without one it is 480 with Warning 380', async () => {
    const edge = await bobWith([{ flow: 't1', ...secure }, { flow: 't2' }]);
    await call(edge, { uri: 'sips:bob@example.test' });
    expect(flowsOf(edge)).toEqual(['t1']);
    expect(edge.front.last.request.requestUri).toBe(secure.contact);
    const plain = await bobWith([{ flow: 't2' }]);
    const refused = (await call(plain, { uri: 'sips:bob@example.test' })).answers.at(-1)?.response;
    expect(refused?.status).toBe(480);
    expect(refused?.header('warning')).toMatch(/^380 /);
    expect(flowsOf(plain)).toEqual([]);
  });

  it('a SIP request reaches a SIPS Contact in its SIP form', async () => {
    const edge = await bobWith([{ flow: 't1', ...secure }]);
    await call(edge);
    expect(edge.front.last.request.requestUri).toBe('sip:bob@10.0.0.1:5061;f=t1');
  });
});
