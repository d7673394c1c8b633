import { base36, base36x4 } from '@rollcall/kernel';

const RADIX = 36;
const R4 = RADIX ** 4;
const R8 = RADIX ** 8;

/** Eight digits: milliseconds since 1970 until the year 2059. Wide numbers of one width compare as texts. */
export function base36x8(value: number): string {
  const high = Math.floor(value / R4);
  return base36x4(high) + base36x4(value - high * R4);
}

/** Nine digits. */
export function base36x9(value: number): string {
  const top = Math.floor(value / R8);
  return base36(top) + base36x8(value - top * R8);
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
  if (time < MILLION) return String(time);
  const high = Math.floor(time / MILLION);
  const low = (time - high * MILLION) | 0;
  return String(high) + (THREE[(low / THOUSAND) | 0] ?? '') + (THREE[low % THOUSAND] ?? '');
}
