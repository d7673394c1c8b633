import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { DEFAULT_POLICY } from '@rollcall/location';
import type { Binding, LocationSnapshot, Policy } from '@rollcall/location';
import { decideExpiry, decideRegister, grantExpiry } from '../src/index.ts';
import type { Decision } from '../src/index.ts';
import { intentOf, NO_RECORD, NOW } from './support.ts';

const decide = (
  lines: readonly string[],
  snapshot: LocationSnapshot = NO_RECORD,
  policy: Policy = DEFAULT_POLICY,
  now = NOW,
  cseq = 1,
): Decision => decideRegister(intentOf(lines, cseq), snapshot, policy, now);

const changed = (decision: Decision): Extract<Decision, { kind: 'changed' }> => {
  if (decision.kind !== 'changed') throw new Error(`not changed but ${JSON.stringify(decision)}`);
  return decision;
};
const later = (ms: number): typeof NOW => epochMs(NOW + ms);
const snapshotOf = (bindings: readonly Binding[]): LocationSnapshot => ({ version: 1, bindings });

describe('what is kept of a Contact', () => {
  const device = [
    'Contact: <sip:alice@10.0.0.1:5062;ob>;+sip.instance="<urn:uuid:1>";reg-id=2;q=0.25;expires=120',
    'Path: <sip:token@192.0.2.250:5060;lr;ob>',
    'User-Agent: Phone/1.0',
  ];

  test('B17 B18 the binding holds what RFC 3261, 3327, 3840 and 5626 want', () => {
    const { bindings, changes } = changed(decide(device));
    expect(bindings).toEqual([
      {
        id: expect.stringMatching(/^[a-z0-5]{10}$/) as string,
        contact: 'sip:alice@10.0.0.1:5062;ob',
        params: ';+sip.instance="<urn:uuid:1>";reg-id=2',
        q: 250,
        instance: '<urn:uuid:1>',
        regId: 2,
        callId: 'c1',
        cseq: 1,
        path: ['<sip:token@192.0.2.250:5060;lr;ob>'],
        userAgent: 'Phone/1.0',
        source: 'udp:198.51.100.7:40000',
        registeredAt: NOW,
        refreshedAt: NOW,
        expiresAt: later(120_000),
      },
    ]);
    expect(changes).toEqual([{ kind: 'registered', binding: bindings[0] }]);
  });

  test('B03 a refresh keeps the id and the time of the first registration', () => {
    const first = changed(decide(device)).bindings[0]!;
    const { bindings, changes } = changed(
      decide(device, snapshotOf([first]), DEFAULT_POLICY, later(60_000), 2),
    );
    expect(bindings[0]).toMatchObject({ id: first.id, registeredAt: NOW, refreshedAt: later(60_000) });
    expect(changes.map(({ kind }) => kind)).toEqual(['refreshed']);
  });

  test('a refresh that leaves less time is told as shortened (RFC 3680 §3.6)', () => {
    const { bindings } = changed(decide(['Contact: <sip:a@10.0.0.1>;expires=3600']));
    const { changes } = changed(
      decide(['Contact: <sip:a@10.0.0.1>;expires=60'], snapshotOf(bindings), DEFAULT_POLICY, NOW, 2),
    );
    expect(changes.map(({ kind }) => kind)).toEqual(['shortened']);
  });

  test('two bindings never share an id', () => {
    const lines = Array.from({ length: 10 }, (_, index) => `Contact: <sip:a@10.0.0.${index.toString()}>`);
    const { bindings } = changed(decide(lines));
    expect(new Set(bindings.map(({ id }) => id)).size).toBe(10);
  });
});

describe('bindings whose time is over', () => {
  const old = changed(decide(['Contact: <sip:a@10.0.0.1>;expires=60'])).bindings;

  test('B22 count as gone, and are told as expired when something else is written', () => {
    const { bindings, changes } = changed(
      decide(['Contact: <sip:b@10.0.0.2>'], snapshotOf(old), DEFAULT_POLICY, later(60_000), 2),
    );
    expect(bindings.map(({ contact }) => contact)).toEqual(['sip:b@10.0.0.2']);
    expect(changes.map(({ kind, binding }) => [kind, binding.contact])).toEqual([
      ['expired', 'sip:a@10.0.0.1'],
      ['registered', 'sip:b@10.0.0.2'],
    ]);
  });

  test('B22 the sweeper ends them at their time and not before, each once', () => {
    expect(decideExpiry(snapshotOf(old), later(59_999))).toEqual({ kind: 'wait', next: later(60_000) });
    expect(decideExpiry(snapshotOf(old), later(60_000))).toEqual({
      kind: 'expire',
      bindings: [],
      changes: [{ kind: 'expired', binding: old[0] }],
      next: undefined,
    });
    expect(decideExpiry(NO_RECORD, NOW)).toEqual({ kind: 'wait', next: undefined });
  });
});

describe('the same request once more', () => {
  test('B12 a decision repeated on its own outcome changes nothing, whatever was asked', () => {
    const contact = fc.record({
      host: fc.integer({ min: 1, max: 4 }),
      expires: fc.constantFrom('', ';expires=0', ';expires=60', ';expires=7200', ';expires=99999'),
      q: fc.constantFrom('', ';q=0.5'),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(contact, { minLength: 1, maxLength: 4, selector: ({ host }) => host }),
        fc.constantFrom(0, 10, 50),
        (contacts, expiresJitter) => {
          const policy = { ...DEFAULT_POLICY, expiresJitter };
          const lines = contacts.map(
            ({ host, expires, q }) => `Contact: <sip:a@10.0.0.${host.toString()}>${q}${expires}`,
          );
          const start = changed(decide(['Contact: <sip:a@10.0.0.1>', 'Contact: <sip:a@10.0.0.9>'])).bindings;
          const other = start.map((binding) => ({ ...binding, callId: 'other' }));
          const first = decide(lines, snapshotOf(other), policy);
          if (first.kind !== 'changed') return;
          const again = decide(lines, snapshotOf(first.bindings), policy, later(1500));
          expect(again.kind).toBe('unchanged');
        },
      ),
    );
  });
});

describe('B08 B09 B10 B11 the interval that is granted (RFC 3261 §10.3 step 7)', () => {
  test('never longer than asked or than the maximum; refused only below the minimum and below an hour', () => {
    const numbers = fc.integer({ min: 1, max: 100_000 });
    fc.assert(
      fc.property(fc.option(fc.nat(2 ** 32 - 1), { nil: undefined }), numbers, numbers, (asked, min, max) => {
        const policy = { ...DEFAULT_POLICY, minExpires: min, maxExpires: max };
        const granted = grantExpiry(asked, '', policy);
        if (granted.ok) {
          expect(granted.value).toBe(Math.min(asked ?? policy.defaultExpires, max));
        } else {
          expect(asked).toBeGreaterThan(0);
          expect(asked).toBeLessThan(Math.min(min, 3600));
          expect(granted.error.headers).toBe(`Min-Expires: ${min.toString()}\r\n`);
        }
      }),
    );
  });

  test('B08 jitter shortens by its percentage at most, evenly, the same for the same request, never below the minimum', () => {
    const policy = { ...DEFAULT_POLICY, expiresJitter: 20 };
    const grant = (asked: number, key: string): number => {
      const granted = grantExpiry(asked, key, policy);
      if (!granted.ok) throw new Error(granted.error.detail);
      return granted.value;
    };
    const seen = Array.from({ length: 2000 }, (_, n) =>
      grant(1000, `call-${(n % 50).toString()}@host ${n.toString()}`),
    );
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(800);
    expect(Math.max(...seen)).toBeLessThanOrEqual(1000);
    for (let from = 800; from < 1000; from += 50) {
      const share = seen.filter((one) => one >= from && one < from + 50).length / seen.length;
      expect(share).toBeGreaterThan(0.2);
      expect(share).toBeLessThan(0.3);
    }
    expect(grant(1000, 'c1 1')).toBe(grant(1000, 'c1 1'));
    expect(grant(60, 'c1 1')).toBe(60);
    expect(Math.min(...seen.map((_, n) => grant(70, `c ${n.toString()}`)))).toBe(60);
  });
});

describe('RFC 5626 where it is switched on', () => {
  const policy: Policy = { ...DEFAULT_POLICY, outbound: 'supported' };
  const contact = 'Contact: <sip:a@10.0.0.1>;+sip.instance="<urn:uuid:1>";reg-id=1';
  const ob = 'Path: <sip:t@192.0.2.250;lr;ob>';

  test('B26 a flow is instance and reg-id; a second reg-id is a second flow', () => {
    const first = changed(decide([contact, ob, 'Supported: outbound, path'], NO_RECORD, policy));
    expect(first.outbound).toBe(true);
    const lines = [contact.replace('reg-id=1', 'reg-id=2'), ob, 'Supported: outbound'];
    const second = changed(decide(lines, snapshotOf(first.bindings), policy, NOW, 2));
    expect(second.bindings.map(({ regId }) => regId)).toEqual([1, 2]);
    const moved = [contact.replace('10.0.0.1', '10.0.0.9'), ob, 'Supported: outbound'];
    const third = changed(decide(moved, snapshotOf(second.bindings), policy, NOW, 3));
    expect(third.bindings.map((binding) => [binding.regId, binding.contact])).toEqual([
      [1, 'sip:a@10.0.0.9'],
      [2, 'sip:a@10.0.0.1'],
    ]);
  });

  test('B26 two Contacts and one of them a flow: 400; a reg-id without instance is ignored', () => {
    expect(decide([contact, 'Contact: <sip:b@10.0.0.2>', ob], NO_RECORD, policy)).toMatchObject({
      kind: 'refused',
      refusal: { label: 'several-flows' },
    });
    const lines = ['Contact: <sip:a@10.0.0.1>;reg-id=1', ob, 'Supported: outbound'];
    expect(changed(decide(lines, NO_RECORD, policy))).toMatchObject({ outbound: false });
  });

  test('B27 P15 a first hop without ob: 439 when the device supports outbound, else the reg-id is ignored', () => {
    const lines = [contact, 'Path: <sip:t@192.0.2.250;lr>'];
    expect(decide([...lines, 'Supported: outbound'], NO_RECORD, policy)).toMatchObject({
      refusal: { label: 'no-outbound-hop' },
    });
    expect(changed(decide(lines, NO_RECORD, policy)).outbound).toBe(false);
  });
});
