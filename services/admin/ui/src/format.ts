const number = new Intl.NumberFormat('en');
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const count = (value: number): string => number.format(Math.round(value));
export const short = (value: number): string => (value < 10_000 ? count(value) : compact.format(value));

export function rate(value: number): string {
  if (value === 0) return '0';
  return value < 10 ? value.toFixed(1) : count(value);
}

export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  let unit = 0;
  let rest = value;
  while (rest >= 1_000 && unit < units.length - 1) {
    rest /= 1_000;
    unit += 1;
  }
  return `${rest < 10 && unit > 0 ? rest.toFixed(1) : String(Math.round(rest))} ${units[unit] ?? ''}`;
}

/** Seconds as people say them: 59 s, 12 min, 3 h, 2 d. */
export function span(seconds: number): string {
  if (seconds < 120) return `${String(Math.round(seconds))} s`;
  if (seconds < 7_200) return `${String(Math.round(seconds / 60))} min`;
  return seconds < 172_800
    ? `${String(Math.round(seconds / 3_600))} h`
    : `${String(Math.round(seconds / 86_400))} d`;
}

/** Microseconds. */
export function took(us: number): string {
  if (us < 1_000) return `${String(Math.round(us))} µs`;
  return us < 1_000_000
    ? `${(us / 1_000).toFixed(us < 10_000 ? 2 : 1)} ms`
    : `${(us / 1_000_000).toFixed(2)} s`;
}

const pad = (value: number, digits = 2): string => String(value).padStart(digits, '0');

/** Time of day of this browser. */
export function clock(ms: number): string {
  const at = new Date(ms);
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

export const clockMs = (ms: number): string => `${clock(ms)}.${pad(Math.floor(ms % 1_000), 3)}`;
export const clockUs = (us: number): string => `${clock(us / 1_000)}.${pad(Math.floor(us % 1_000_000), 6)}`;
export const dateTime = (iso: string): string => new Date(iso).toLocaleString();
export const plain = (aor: string): string => aor.replace(/^sip:/, '');
