import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import type { Binding, BindingId } from '@rollcall/location';
import { SnapshotMemory } from '../src/snapshot-memory.ts';
import { aorOf } from './support.ts';

const ALICE = aorOf('alice@example.test');
/** Octets that a header value may hold: no line end, and no tab once it is unfolded. */
const value = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)),
});
const filled = value.filter((text) => text !== '');
const time = fc.integer({ min: 0, max: 2 ** 42 - 1 }).map(epochMs);
const binding: fc.Arbitrary<Binding> = fc.record(
  {
    id: filled.map((text) => text as BindingId),
    contact: filled,
    params: value,
    q: fc.integer({ min: 0, max: 1000 }),
    instance: filled,
    regId: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    callId: filled,
    cseq: fc.nat(2 ** 32 - 1),
    path: fc.array(filled, { maxLength: 3 }),
    userAgent: filled,
    source: filled,
    registeredAt: time,
    refreshedAt: time,
    expiresAt: time,
  },
  {
    requiredKeys: [
      ...(['id', 'contact', 'params', 'callId', 'cseq', 'path'] as const),
      ...(['registeredAt', 'refreshedAt', 'expiresAt'] as const),
    ],
  },
);

describe('what a replica remembers', () => {
  test('is what it was told, octet for octet', () => {
    fc.assert(
      fc.property(
        fc.array(binding, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1 }),
        (bindings, version) => {
          const memory = new SnapshotMemory(10);
          memory.remember(ALICE, version, bindings);
          expect(memory.recall(ALICE)).toEqual({ version, bindings });
        },
      ),
    );
  });

  test('is forgotten with its record, on request, when it is huge, and past the limit', () => {
    const memory = new SnapshotMemory(2);
    const [one] = fc.sample(binding, 1) as [Binding];
    memory.remember(ALICE, 1, [one]);
    memory.remember(ALICE, 0, []);
    expect(memory.recall(ALICE)).toBeUndefined();
    memory.remember(ALICE, 2, [one]);
    memory.forget(ALICE);
    expect(memory.recall(ALICE)).toBeUndefined();
    memory.remember(ALICE, 3, [{ ...one, contact: 'x'.repeat(70_000) }]);
    expect(memory.recall(ALICE)).toBeUndefined();
    for (const user of ['a', 'b', 'c']) memory.remember(aorOf(`${user}@example.test`), 1, [one]);
    expect([memory.size, memory.recall(aorOf('a@example.test'))]).toEqual([2, undefined]);
  });
});
