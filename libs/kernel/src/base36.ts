const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';
const RADIX = 36;
const R2 = RADIX ** 2;
const R4 = RADIX ** 4;
const R8 = RADIX ** 8;
const PAIRS: readonly string[] = Array.from(
  { length: R2 },
  (_, n) => DIGITS.charAt(Math.floor(n / RADIX)) + DIGITS.charAt(n % RADIX),
);

const pair = (n: number): string => PAIRS[n] ?? '';

/** A non-negative integer in as many digits as it takes; the engine's own `toString(36)` is several times slower. */
export function base36(value: number): string {
  if (value < RADIX) return DIGITS.charAt(value);
  if (value < R2) return pair(value);
  if (value < R4) {
    const high = (value / R2) | 0;
    return base36(high) + pair(value - high * R2);
  }
  if (value < R8) {
    const high = Math.floor(value / R4);
    return base36(high) + base36x4(value - high * R4);
  }
  return value.toString(RADIX);
}

/** A non-negative integer below 36^`width` with its leading zeros. */
export function base36Padded(value: number, width: number): string {
  let text = '';
  let rest = value;
  let left = width;
  for (; left > 4; left -= 4) {
    const high = Math.floor(rest / R4);
    text = base36x4(rest - high * R4) + text;
    rest = high;
  }
  return base36x4(rest).slice(4 - left) + text;
}

/** Four digits: a non-negative integer below 36^4. */
export function base36x4(value: number): string {
  const high = (value / R2) | 0;
  return pair(high) + pair(value - high * R2);
}
