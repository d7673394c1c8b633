import { expect, test } from 'vitest';
import { assertNever } from '../src/assert-never.ts';

test('a case that cannot happen is an error that shows the value', () => {
  expect(() => assertNever({ kind: 'novel' } as never, 'decision')).toThrow(
    'unexpected decision: {"kind":"novel"}',
  );
});
