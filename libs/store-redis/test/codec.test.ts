import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { base36, epochMs } from '@rollcall/kernel';
import type { Aor, Binding, BindingId, LocationSnapshot } from '@rollcall/location';
import { base36x8, base36x9, readBase36 } from '../src/codec/base36.ts';
import { changesForPresence, printChanges, readChanges } from '../src/codec/changes.ts';
import { drawVersion, expirySpan, printRecord, readRecord, versionText } from '../src/codec/record.ts';

const octets = fc
  .array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 })
  .map((codes) => String.fromCharCode(...codes));
const nasty = fc.constantFrom(
  '',
  '\n',
  '\r',
  '\\',
  '=',
  '@',
  '.',
  '0',
  '\r\\n',
  'sip:u@',
  '<sip:;lr;ob>',
  '<sip:a;transport=tcp;lr;ob>',
  'udp:',
);
const text = fc.oneof(
  octets,
  nasty,
  fc.tuple(nasty, octets, nasty).map((parts) => parts.join('')),
);
const moment = fc.integer({ min: 1_000_000_000_000, max: 2_800_000_000_000 }).map(epochMs);
const optional = <T>(name: string, value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.oneof(
    fc.constant({}),
    value.map((v) => ({ [name]: v })),
  );

const bindings: fc.Arbitrary<Binding> = fc
  .tuple(
    fc.record({
      id: text.map((id) => id as BindingId),
      contact: fc.oneof(
        text,
        text.map((rest) => `sip:u@${rest}`),
      ),
      params: text,
      callId: text,
      cseq: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
      path: fc.array(
        fc.oneof(
          text,
          text.map((inner) => `<sip:${inner};lr;ob>`),
        ),
        { maxLength: 4 },
      ),
      registeredAt: moment,
      refreshedAt: moment,
      expiresAt: moment,
    }),
    optional('q', fc.integer({ min: 0, max: 1000 })),
    optional('regId', fc.integer({ min: 0, max: 2 ** 31 - 1 })),
    optional('instance', text),
    optional('userAgent', text),
    optional('source', text),
    optional('gruu', fc.record({ since: moment, firstCseq: fc.integer({ min: 0, max: 2 ** 31 - 1 }) })),
    optional(
      'reachability',
      fc.oneof(
        fc.record({ reachable: fc.constant(false), at: moment }),
        fc.record({ reachable: fc.constant(true), at: moment }),
        fc.record({ reachable: fc.constant(true), rttMs: fc.integer({ min: 0, max: 60_000 }), at: moment }),
      ),
    ),
  )
  .map((parts) => Object.assign({}, ...parts) as Binding);
const aors = fc
  .constantFrom('sip:u@example.test', 'tel:+15551234', 'sip:example.test')
  .map((aor) => aor as Aor);

/** A record as an earlier release has written it. */
interface Kept {
  readonly aor: Aor;
  readonly text: string;
  readonly snapshot: LocationSnapshot;
}
const kept = JSON.parse(
  readFileSync(new URL('fixtures/location-records-1.json', import.meta.url), 'utf8'),
) as readonly Kept[];

describe('records of other releases', () => {
  test.each(kept)(
    'K30 what was written before still reads as it was meant: $aor',
    ({ aor, text, snapshot }) => {
      expect(readRecord(aor, text)).toEqual(snapshot);
    },
  );

  test.each(kept)('what needs nothing new is written as it always was: $aor', ({ aor, text, snapshot }) => {
    const { version, bindings } = snapshot;
    expect(printRecord(aor, version, expirySpan(bindings).first, bindings)).toBe(text);
  });

  test('K30 numbers that a later release adds are read over', () => {
    const [{ aor, text, snapshot }] = kept as [Kept];
    const lines = text.split('\n');
    const numbers = lines[4] ?? '';
    lines[4] = `${numbers}${','.repeat(11 - numbers.split(',').length)},zz,later`;
    expect(readRecord(aor, lines.join('\n'))).toEqual(snapshot);
  });

  test('K30 a format that is not known is refused, whatever it looks like', () => {
    const [{ aor, text }] = kept as [Kept];
    for (const record of [
      `2${text.slice(1)}`,
      `~${text.slice(1)}`,
      '2',
      '1',
      'x',
      text.slice(0, 40),
      text.slice(0, 18),
      `${text.slice(0, 18)}x`,
      `${text}x`,
    ]) {
      expect(() => readRecord(aor, record)).toThrow(RangeError);
    }
  });
});

describe('the location record', () => {
  test('what is printed is read back, whatever octets it holds', () => {
    fc.assert(
      fc.property(aors, fc.array(bindings, { minLength: 1, maxLength: 4 }), (aor, list) => {
        const version = drawVersion();
        const printed = printRecord(aor, version, expirySpan(list).first, list);
        expect(readRecord(aor, printed)).toEqual({ version, bindings: list });
        expect(printed.slice(0, 10)).toBe(versionText(version));
      }),
      { numRuns: 500 },
    );
  });

  test('records made in the same moment begin at versions that none of them comes to', () => {
    const apart = 1000;
    const versions = Array.from({ length: 500 }, drawVersion).sort((a, b) => a - b);
    for (const [at, version] of versions.entries()) {
      expect(version - (versions[at - 1] ?? -apart)).toBeGreaterThan(apart / 2);
      expect(versionText(version)).toHaveLength(10);
    }
  });

  test('a phone behind our own edge: what stands elsewhere is not written again', () => {
    const aor = 'sip:u00001@example.test' as Aor;
    const binding: Binding = {
      id: 'Zk3v9fQ2x1Ab' as BindingId,
      contact: 'sip:u00001@127.0.0.1:40000',
      params: ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";reg-id=1',
      instance: '<urn:uuid:00000000-0000-1000-8000-000A95A0E128>',
      regId: 1,
      callId: '1-12345@127.0.0.1',
      cseq: 2,
      path: ['<sip:e1~mabc~u0-7f000001-40000~Zk3v9@127.0.0.1:15500;lr;ob>'],
      userAgent: 'Acme/1.0',
      source: 'udp:127.0.0.1:40000',
      registeredAt: epochMs(1_795_342_776_456),
      refreshedAt: epochMs(1_795_342_776_456),
      expiresAt: epochMs(1_795_346_376_456),
    };
    // Format 1 as it was first written: it must stay readable for ever.
    const stored =
      '1kd4lzieiomwrqvlzcZk3v9fQ2x1Ab\n@127.0.0.1:40000\n;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";reg-id=1\n' +
      '1-12345@127.0.0.1\n2,2s0,,,,,1\nAcme/1.0\n=g.1b\n=udp\n1e1~mabc~u0-7f000001-40000~Zk3v9@127.0.0.1:15500\n';
    expect(printRecord(aor, 57_450_968_846_592, binding.expiresAt, [binding])).toBe(stored);
    expect(readRecord(aor, stored)).toEqual({ version: 57_450_968_846_592, bindings: [binding] });
  });

  test('no text makes it loop, and what is not ours is a RangeError', () => {
    const aor = 'sip:u@example.test' as Aor;
    for (const bad of ['x', '2000000000', '1!', '1kd4lzieiomwrqvlzca\nb\n', '{"version":1}']) {
      expect(() => readRecord(aor, bad), bad).toThrow(RangeError);
    }
    fc.assert(
      fc.property(text, (tail) => {
        try {
          readRecord(aor, `1kd4lzieiomwrqvlzc${tail}`);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });

  test('versions and expiries compare as texts as they do as numbers', () => {
    const wide = fc.integer({ min: 0, max: 2_821_109_907_455 });
    fc.assert(
      fc.property(wide, wide, (a, b) => {
        expect(base36x8(a) < base36x8(b)).toBe(a < b);
        expect(base36x9(a * 32) < base36x9(b * 32)).toBe(a < b);
        expect(readBase36(base36x9(a * 32), 0, 9)).toBe(a * 32);
        expect(base36(a)).toBe(a.toString(36));
      }),
    );
  });
});

test('changes are read back with their AoR and actor', () => {
  fc.assert(
    fc.property(
      aors,
      fc.option(text, { nil: undefined }),
      fc.array(bindings, { maxLength: 3 }),
      (aor, actor, list) => {
        const changes = list.map((binding) => ({ kind: 'expired', binding }) as const);
        const told = list.map(({ id, contact }) => ({ kind: 'expired', bindingId: id, contact }));
        expect(readChanges(printChanges(aor, actor, changes))).toEqual({ aor, actor, changes: told });
        expect(JSON.parse(changesForPresence(changes))).toEqual(
          list.map(({ id, contact }) => ['expired', id, contact]),
        );
      },
    ),
  );
  expect(readChanges('a\n\nzid\n.x')).toBeUndefined();
});
