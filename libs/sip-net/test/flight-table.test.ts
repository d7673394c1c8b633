import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FlightTable } from '../src/flight-table.ts';

const command = fc.record({
  what: fc.constantFrom('add', 'take', 'get', 'drain'),
  branch: fc.integer({ min: 0, max: 12 }).map((n) => `b${String(n)}`),
});

it('holds what a map would hold, also where many fall on one place', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 80 }), fc.constantFrom(1, 2, 64), (commands, places) => {
      const table = new FlightTable<{ branch: string }>(places);
      const model = new Map<string, { branch: string }>();
      for (const { what, branch } of commands) {
        const request = { branch };
        if (what === 'add') {
          expect(table.add(branch, request)).toBe(!model.has(branch));
          if (!model.has(branch)) model.set(branch, request);
        } else if (what === 'take') {
          expect(table.take(branch)).toBe(model.get(branch));
          model.delete(branch);
        } else if (what === 'drain') {
          expect(new Set(table.drain())).toEqual(new Set(model.values()));
          model.clear();
        }
        expect(table.get(branch)).toBe(model.get(branch));
        expect(table.size).toBe(model.size);
        expect(new Set(table.all())).toEqual(new Set(model.values()));
      }
    }),
    { seed: 7 },
  );
});
