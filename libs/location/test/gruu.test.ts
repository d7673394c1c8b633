import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { parseUri, uriEquals } from '@rollcall/sip';
import type { SipUri } from '@rollcall/sip';
import { Gruus, parseAor, sameInstance } from '../src/index.ts';
import type { Aor, Binding, BindingId } from '../src/index.ts';

const gruus = new Gruus('a secret of these tests');
const ALICE = 'sip:alice@example.test' as Aor;
const INSTANCE = '<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>';

function sipUri(text: string): SipUri {
  const uri = parseUri(text);
  if (!uri.ok || uri.value.kind !== 'sip') throw new Error(text);
  return uri.value;
}

function binding(id: string, fields: Partial<Binding> = {}): Binding {
  return {
    id: id as BindingId,
    contact: `sip:${id}@192.0.2.1`,
    params: '',
    callId: 'c1',
    cseq: 1,
    path: [],
    registeredAt: epochMs(1000),
    refreshedAt: epochMs(1000),
    expiresAt: epochMs(9000),
    instance: INSTANCE,
    gruu: { since: epochMs(1000), firstCseq: 1 },
    ...fields,
  };
}

describe('public GRUUs (RFC 5627 §5.4, Appendix A.1)', () => {
  test('B28 are the AoR with the instance in gr, the same every time, and resolve to the AoR', () => {
    const gruu = gruus.pub(ALICE, INSTANCE);
    expect(gruu).toBe('sip:alice@example.test;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6');
    const resolved = gruus.resolve(sipUri(gruu));
    expect(resolved).toMatchObject({ kind: 'public', aor: ALICE });
    expect(uriEquals(sipUri(gruu), sipUri(ALICE))).toBe(true);
  });

  test('B28 any instance, however odd, comes back', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
          minLength: 1,
        }),
        (instance) => {
          const uri = sipUri(gruus.pub(ALICE, instance));
          const own = binding('own', { instance });
          const other = binding('other', { instance: `${instance}x` });
          expect(
            gruus
              .resolve(uri)
              ?.select([other, own])
              .map(({ id }) => id),
          ).toEqual(['own']);
        },
      ),
      { seed: 5627 },
    );
  });

  test('B28 stand for the bindings of their instance alone, the latest first', () => {
    const resolved = gruus.resolve(sipUri(gruus.pub(ALICE, INSTANCE)));
    const bindings = [
      binding('a'),
      binding('b', { refreshedAt: epochMs(2000), instance: INSTANCE.toUpperCase() }),
      binding('c', { instance: '<urn:uuid:2>' }),
    ];
    expect(resolved?.select(bindings).map(({ id }) => id)).toEqual(['b', 'a']);
    expect(resolved?.select([])).toEqual([]);
  });
});

describe('temporary GRUUs (RFC 5627 §3.1.2, §5.1)', () => {
  test('B28 resolve to AoR and instance, and each is another', () => {
    const [one, two] = [gruus.temp(ALICE, INSTANCE, 1000), gruus.temp(ALICE, INSTANCE, 1000)];
    expect(one).not.toBe(two);
    expect(one).toMatch(/^sip:tgruu\.[A-Za-z0-9_-]+@example\.test;gr$/);
    for (const text of [one, two]) {
      const resolved = gruus.resolve(sipUri(text));
      expect(resolved).toMatchObject({ kind: 'temporary', aor: ALICE });
      expect(resolved?.select([binding('a'), binding('b', { instance: '<urn:uuid:2>' })])).toHaveLength(1);
    }
  });

  test('B28 say nothing of the AoR, neither by letters nor by length nor by what they share', () => {
    const short = gruus.temp('sip:al@example.test' as Aor, INSTANCE, 1);
    const long = gruus.temp('sip:alexandra@example.test' as Aor, '<urn:uuid:2>', 1_700_000_000_000);
    expect(short).toHaveLength(long.length);
    expect(short).not.toContain('al@');
    const bytes = (text: string): Buffer => Buffer.from(sipUri(text).user?.slice(6) ?? '', 'base64url');
    const [a, b] = [bytes(gruus.temp(ALICE, INSTANCE, 1)), bytes(gruus.temp(ALICE, INSTANCE, 1))];
    const equal = a.filter((octet, at) => octet === b[at]).length;
    expect(equal).toBeLessThan(a.length / 4);
  });

  test('B28 a new generation makes all older ones void', () => {
    const old = gruus.resolve(sipUri(gruus.temp(ALICE, INSTANCE, 1000)));
    const now = binding('a', { gruu: { since: epochMs(2000), firstCseq: 7 } });
    expect(old?.select([now])).toEqual([]);
    expect(gruus.resolve(sipUri(gruus.temp(ALICE, INSTANCE, 2000)))?.select([now])).toEqual([now]);
  });

  test('B28 a forged, cut or foreign one is none', () => {
    const good = gruus.temp(ALICE, INSTANCE, 1000);
    const user = sipUri(good).user ?? '';
    for (let at = 6; at < user.length - 1; at += 7) {
      const changed = user.slice(0, at) + (user[at] === 'A' ? 'B' : 'A') + user.slice(at + 1);
      expect(gruus.resolve(sipUri(`sip:${changed}@example.test;gr`))).toBeUndefined();
    }
    for (const text of [
      `sip:${user.slice(0, -3)}@example.test;gr`,
      `sip:${user}@other.test;gr`,
      'sip:tgruu.@example.test;gr',
      'sip:tgruu.AAAA@example.test;gr',
      'sip:alice@example.test;gr',
      good.replace(';gr', ''),
    ]) {
      expect(gruus.resolve(sipUri(text))).toBeUndefined();
    }
    expect(new Gruus('another secret of the tests').resolve(sipUri(good))).toBeUndefined();
  });

  test('B28 whatever the user part, it comes back', () => {
    fc.assert(
      fc.property(fc.webUrl(), fc.nat(2 ** 31), (text, since) => {
        const aor = parseAor(`sip:${encodeURIComponent(text)}@example.test`);
        if (!aor.ok) return;
        expect(gruus.resolve(sipUri(gruus.temp(aor.value, INSTANCE, since)))?.aor).toBe(aor.value);
      }),
      { seed: 5627 },
    );
  });
});

test('instances are compared as URNs', () => {
  expect(sameInstance('<urn:uuid:AB>', '<urn:uuid:ab>')).toBe(true);
  expect(sameInstance('<urn:uuid:ab>', '<urn:uuid:ac>')).toBe(false);
});
