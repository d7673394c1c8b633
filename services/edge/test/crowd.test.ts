import { describe, expect, it } from 'vitest';
import { Admission } from '../src/admission.ts';
import { draft, request } from './world.ts';

/** An edge whose datagrams wait for so long; everything else is at rest. */
function edge(): { readonly admission: Admission; readonly waits: (ms: number, ticks: number) => void } {
  let waitMs = 0;
  const sources = { lagMs: () => 0, waiting: () => 0, waitMs: () => waitMs };
  const admission = new Admission(sources, () => 0.5);
  return {
    admission,
    waits: (ms, ticks) => {
      waitMs = ms;
      for (let i = 0; i < ticks; i += 1) admission.tick();
    },
  };
}

const newcomer = request(draft());
const refusedOf = (admission: Admission, count: number, one = newcomer): number =>
  Array.from({ length: count }, () => admission.refuses(one)).filter(Boolean).length;

describe('F03 datagrams that wait', () => {
  it('F03 a pause is no crowd; a second of waiting is, and every second newcomer is told, up to a number', () => {
    const { admission, waits } = edge();
    waits(500, 3);
    expect(refusedOf(admission, 100)).toBe(0);
    waits(500, 20);
    expect(refusedOf(admission, 100)).toBe(50);
    waits(500, 1);
    expect(refusedOf(admission, 10_000)).toBe(100);
    waits(500, 1);
    expect(admission.refusedShare).toBeCloseTo(0.01);
    expect(refusedOf(admission, 10)).toBe(5);
  });

  it('F03 what answers a challenge, or is in a dialog, is served; and all is when nobody waits any more', () => {
    const { admission, waits } = edge();
    waits(500, 50);
    expect(refusedOf(admission, 10, request(draft({ headers: 'Authorization: Digest a="b"\r\n' })))).toBe(0);
    expect(
      refusedOf(admission, 10, request(draft({ method: 'BYE', to: '<sip:bob@example.test>;tag=1' }))),
    ).toBe(0);
    waits(5, 50);
    expect(refusedOf(admission, 100)).toBe(0);
    expect(admission.refusedShare).toBe(0);
  });
});
