/**
 * The octets under the scanners.
 *
 * Facts: looking at a string char by char costs the engine 2 to 3 ns for each, for it must ask again every time how the
 * string is stored; an element of a typed array costs a quarter of that. So the text that is about to be scanned
 * is copied here once, in one native call, and all scanners look here. Offsets are those of the text. There is
 * one such place for all: whoever begins to scan calls `load` first, and no scanner calls anybody else's code.
 */

import { CLASSES, DEL, HTAB } from './chars.ts';

/** Longest text that can be scanned: a head and a body of the largest size (see `LIMITS`), and some room. */
export const CAPACITY = 160 * 1024;

/** For the loops that look at every octet of a message. */
export const octets = new Uint8Array(CAPACITY + 8);
const words = new Int32Array(octets.buffer);
const view = Buffer.from(octets.buffer);
const encoder = new TextEncoder();
const WIDE = /[^\u0000-\u00ff]/;
let loaded = '';

/** Makes `text` the one that is scanned. Text longer than `CAPACITY` counts as empty. */
export function load(text: string): void {
  if (text === loaded) return;
  loaded = text;
  const length = text.length > CAPACITY ? 0 : text.length;
  // as UTF-8, ASCII is itself; anything else comes out longer and is written again as what it is
  if (length > 0 && encoder.encodeInto(text, octets).written !== length) {
    view.write(text, 0, 'latin1');
    if (WIDE.test(text)) blankWide(text);
  }
  octets.fill(0, length, length + 4);
}

/** A char past 255 is no octet: it becomes NUL, which no rule of the grammar allows. */
function blankWide(text: string): void {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 0xff) octets[i] = 0;
}

/** The octet at an offset of the loaded text; 0 right after its end. */
export const octet = (at: number): number => octets[at] ?? 0;

/** Offset of the first octet in `[at, end)` that is in none of the classes; `end` when there is none. */
export function span(at: number, end: number, flags: number): number {
  // locals: an imported name would be looked up again for each octet
  const text = octets;
  const classes = CLASSES;
  let i = at;
  while (i < end && ((classes[text[i] ?? 0] ?? 0) & flags) !== 0) i += 1;
  return i;
}

/**
 * Offset of the first control character at or after `at`, HTAB not being one. The end of the text is NUL, so that there
 * always is one.
 *
 * Four octets are looked at together: in `w - 0x20202020` the high bit of an octet is set when the octet was below 0x20, and
 * `& ~w` takes out those of 0x80 and more; likewise for DEL, which is the octet that `^ 0x7f` makes zero.
 */
export function nextControl(at: number): number {
  const text = octets;
  const fours = words;
  let i = at;
  for (;;) {
    while ((i & 3) !== 0) {
      if (isControl(text[i] ?? 0)) return i;
      i += 1;
    }
    for (;;) {
      const w = fours[i >> 2] ?? 0;
      const x = w ^ 0x7f7f7f7f;
      if (((((w - 0x20202020) & ~w) | ((x - 0x01010101) & ~x)) & HIGH_BITS) !== 0) break;
      i += 4;
    }
    if (isControl(text[i] ?? 0)) return i;
    i += 1;
  }
}

const HIGH_BITS = 0x80808080 | 0;

const isControl = (code: number): boolean => (code < 0x20 && code !== HTAB) || code === DEL;
