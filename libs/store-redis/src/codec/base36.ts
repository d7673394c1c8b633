const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';
const RADIX = 36;
const PAIRS: readonly string[] = Array.from(
  { length: RADIX * RADIX },
  (_, n) => DIGITS.charAt(Math.floor(n / RADIX)) + DIGITS.charAt(n % RADIX),
);
const R2 = RADIX ** 2;
const R4 = RADIX ** 4;
const R6 = RADIX ** 6;

const pair = (n: number): string => PAIRS[n] ?? '';

/** Eight digits: milliseconds since 1970 until the year 2059. Wide numbers of one width compare as texts. */
export function base36x8(value: number): string {
  const high = Math.floor(value / R4);
  const low = value - high * R4;
  return pair((high / R2) | 0) + pair(high % R2) + pair((low / R2) | 0) + pair(low % R2);
}

/** Nine digits. */
export function base36x9(value: number): string {
  const top = Math.floor(value / (R6 * R2));
  return DIGITS.charAt(top) + base36x8(value - top * R6 * R2);
}

/** As many digits as it takes. */
export function base36(value: number): string {
  if (value < RADIX) return DIGITS.charAt(value);
  if (value < R2) return pair(value);
  return value.toString(RADIX);
}

/** Reads digits at `start` … `end`; NaN when there is anything else. */
export function readBase36(text: string, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i += 1) {
    const code = text.charCodeAt(i);
    if (code >= 48 && code <= 57) value = value * RADIX + code - 48;
    else if (code >= 97 && code <= 122) value = value * RADIX + code - 87;
    else return NaN;
  }
  return value;
}

const THOUSAND = 1000;
const THREE: readonly string[] = Array.from({ length: THOUSAND }, (_, n) => String(n).padStart(3, '0'));
const MILLION = THOUSAND ** 2;

/** A moment in ms since 1970 as a decimal number, which the engine itself prints slowly for want of small integers. */
export function decimalMs(time: number): string {
  const high = Math.floor(time / MILLION);
  const low = time - high * MILLION;
  return String(high) + (THREE[(low / THOUSAND) | 0] ?? '') + (THREE[low % THOUSAND] ?? '');
}
