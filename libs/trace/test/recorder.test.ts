import type { Aor } from '@rollcall/location';
import { describe, expect, it } from 'vitest';
import { callHash, maskCredentials, Recorder, Sampler, TraceRing } from '../src/index.ts';
import { AUTHORIZATION, EDGE, lines, NOON, PHONE, register } from './support.ts';

const FLOW = { transport: 'udp', local: EDGE, remote: PHONE, id: 'u0' } as const;
const ALICE = 'sip:alice@example.test' as Aor;

function recorder(
  percent: number,
  more: { perSecond?: number; entries?: number; bytes?: number; maxTraces?: number } = {},
) {
  const time = { now: NOON };
  const ring = new TraceRing({ entries: more.entries ?? 100, bytes: more.bytes ?? 100_000 });
  const sampler = new Sampler({ percent, perSecond: more.perSecond ?? 1_000_000 });
  const one = new Recorder({
    edge: 'edge-1',
    ring,
    sampler,
    now: () => time.now,
    aliases: () => new Map([['pbx.example.test', 'example.test']]),
    maxTraces: more.maxTraces ?? 10,
  });
  const see = (octets: string): boolean => {
    const wanted = one.wants(octets);
    if (wanted) one.keep(octets, 'phone', 'in', FLOW, undefined);
    return wanted;
  };
  const find = async (aor: string): Promise<number> =>
    (await one.find({ aor: aor as Aor }, 1_000, () => Promise.resolve())).length;
  return { one, ring, sampler, see, find, time };
}

describe('callHash', () => {
  it('is that of the Call-ID, however the header is written', () => {
    const hashes = ['Call-ID: x@y', 'Call-ID:x@y', 'i: x@y', 'I : x@y', 'CALL-ID:\tx@y ', 'call-id: x@y'].map(
      (line) => callHash(lines('OPTIONS sip:a SIP/2.0', 'Via: v', line)),
    );
    expect(new Set(hashes).size).toBe(1);
    expect(hashes[0]).not.toBe(callHash(lines('OPTIONS sip:a SIP/2.0', 'Call-ID: x@z')));
    expect(callHash(lines('OPTIONS sip:a SIP/2.0'))).toBeUndefined();
  });
});

describe('what is kept', () => {
  it('everything, nothing, or a share of the Call-IDs, whole exchanges of them', () => {
    const all = recorder(100);
    const none = recorder(0);
    const tenth = recorder(10, { entries: 10_000, bytes: 10_000_000 });
    expect(none.one.idle).toBe(true);
    expect(all.one.idle).toBe(false);
    let both = 0;
    for (let i = 0; i < 2_000; i += 1) {
      const [first, second] = [1, 2].map((cseq) => register({ cseq, callId: `call-${String(i)}` }));
      expect(all.see(first!)).toBe(true);
      expect(none.see(first!)).toBe(false);
      const [one, other] = [tenth.see(first!), tenth.see(second!)];
      expect(one).toBe(other);
      if (one) both += 1;
    }
    expect(both).toBeGreaterThan(140);
    expect(both).toBeLessThan(260);
  });

  it('under load fewer, and after it more again', () => {
    const { see, time, sampler, ring } = recorder(100, {
      perSecond: 100,
      entries: 100_000,
      bytes: 10_000_000,
    });
    for (let i = 0; i < 20_000; i += 1) see(register({ callId: `burst-${String(i)}` }));
    expect(ring.size).toBeLessThan(2_000);
    expect(sampler.percent).toBeLessThan(5);
    time.now += 60_000_000;
    sampler.tick(time.now);
    expect(sampler.percent).toBe(100);
  });

  it('two bounds hold, and the oldest go', () => {
    const octets = register();
    const few = recorder(100, { entries: 3 });
    for (let i = 0; i < 5; i += 1) few.see(register({ callId: `c${String(i)}` }));
    expect([few.ring.size, few.ring.evicted]).toEqual([3, 2]);
    expect(few.ring.at(0)?.entry.octets).toContain('Call-ID: c2');
    const small = recorder(100, { bytes: octets.length * 2 + 10 });
    for (let i = 0; i < 5; i += 1) small.see(octets);
    expect(small.ring.size).toBe(2);
    expect(small.ring.bytes).toBeLessThanOrEqual(octets.length * 2 + 10);
    const tiny = recorder(100, { bytes: 10 });
    tiny.see(octets);
    expect(tiny.ring.size).toBe(0);
  });
});

describe('A10 an AoR that is traced', () => {
  it('is kept whole from its next request on, until its time is over', () => {
    const { one, see, time, ring } = recorder(0);
    expect(see(register())).toBe(false);
    expect(one.trace({ aor: ALICE, until: NOON + 1_000_000 })).toBe(true);
    expect(one.idle).toBe(false);
    expect(see(register({ to: 'sip:bob@example.test', callId: 'b' }))).toBe(false);
    expect(see(register())).toBe(true);
    // an answer names nobody who matters, but it belongs to the exchange
    expect(see(lines('SIP/2.0 200 OK', 'Via: v', 'i: c1'))).toBe(true);
    expect(ring.size).toBe(2);
    time.now += 2_000_000;
    expect(one.traces()).toEqual([]);
    expect(one.idle).toBe(true);
    expect(see(register())).toBe(false);
  });

  it('is found under every spelling of its address, and no other is', async () => {
    const spellings: readonly (readonly [string, boolean])[] = [
      ['sip:alice@example.test', true],
      ['sip:alice@EXAMPLE.test:5060;transport=tcp', true],
      ['sips:%61lice@example.test', true],
      ['sip:alice@pbx.example.test', true],
      ['sip:alice@example.test.evil', false],
      ['sip:malice@example.test', false],
      ['sip:Alice@example.test', false],
      ['sip:alice@example.tes', false],
    ];
    for (const [to, same] of spellings) {
      const { see, find } = recorder(100);
      see(register({ to }));
      expect([to, await find(ALICE)]).toEqual([to, same ? 1 : 0]);
    }
    const { see, find } = recorder(100);
    see(register({ to: 'tel:+1-555-1234' }));
    expect(await find('sip:+15551234@example.test')).toBe(1);
  });

  it('as many are traced as may be', () => {
    const { one } = recorder(0, { maxTraces: 1 });
    const until = NOON + 1_000_000;
    expect(one.trace({ aor: ALICE, until })).toBe(true);
    expect(one.trace({ aor: 'sip:bob@example.test' as Aor, until })).toBe(false);
    expect(one.trace({ aor: ALICE, until: until + 1 })).toBe(true);
    one.untrace(ALICE);
    expect(one.trace({ aor: 'sip:bob@example.test' as Aor, until })).toBe(true);
  });
});

describe('credentials', () => {
  it('A10 are masked in place, with the length they have', async () => {
    const secret = '0123456789abcdef0123456789abcdef';
    const folded = 'Proxy-Authorization: Digest username="a",\r\n\tresponse="5ec7e7",\r\n nonce="n"';
    const message = register({
      more: [
        AUTHORIZATION,
        folded,
        'AUTHORIZATION : Bearer ab.cd',
        'Authentication-Info: rspauth="77", qop=auth',
      ],
    });
    const shown = maskCredentials(message);
    expect(shown.length).toBe(message.length);
    for (const hidden of [secret, '5ec7e7', 'ab.cd', '"77"']) expect(shown).not.toContain(hidden);
    expect(shown).toContain('nonce="n0nce"');
    expect(shown).toContain(`response="${'x'.repeat(32)}"`);
    expect(shown).toContain('username="alice"');
    const media = `${lines('INVITE sip:b@c SIP/2.0', 'Via: v')}a=crypto:1 x inline:SECRETKEY|2^20\r\n`;
    expect(maskCredentials(media)).not.toContain('SECRETKEY');
    const { see, one } = recorder(100);
    see(message);
    const [found] = await one.find({ callId: 'c1' }, 10, () => Promise.resolve());
    expect(found?.octets).not.toContain(secret);
  });
});
