import { describe, expect, it } from 'vitest';
import { ACCEPTANCE } from './acceptance.ts';
import { stalePages } from './generate.ts';
import { namedTests } from './named-tests.ts';

describe('conformance', () => {
  const named = namedTests();

  it('every id that is implemented is named by a test or a scenario', () => {
    const missing = ACCEPTANCE.filter(({ id, due }) => due && !named.has(id)).map(({ id }) => id);
    expect(missing).toEqual([]);
  });

  it('every id that a title names is on the list', () => {
    const known = new Set(ACCEPTANCE.map(({ id }) => id));
    const letters = new Set(ACCEPTANCE.map(({ id }) => id.charAt(0)));
    // P1 to P21 are also the quirks of phones that the parser's tests go through.
    const quirk = /^P(0[6-9]|1\d|2[01])$/;
    const strange = [...named.keys()].filter(
      (id) => letters.has(id.charAt(0)) && !known.has(id) && !quirk.test(id),
    );
    expect(strange).toEqual([]);
  });

  it('generated pages are what the code says: run `npm run generate` when this fails', () => {
    expect(stalePages()).toEqual([]);
  });
});
