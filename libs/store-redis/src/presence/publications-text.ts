import { epochMs } from '@rollcall/kernel';
import type { Publication, PublicationSet } from '@rollcall/events';
import { base36x8, base36x9, decimalMs, readBase36 } from '../codec/base36.ts';

/*
 * The publications of a resource: `1` (format) · version, 9 digits · last expiry in ms, 8 digits · next expiry in ms, 8 digits ·
 * for each publication a line `etag package expiry length-of-body` and the body.
 */

const FORMAT = '1';
const VERSION_END = 10;
const HEADER_END = 26;

export const NO_PUBLICATIONS: PublicationSet = { version: 0, publications: [] };

export function printPublications(version: number, publications: readonly Publication[]): string {
  let first = Infinity;
  let last = 0;
  let text = '';
  for (const { etag, package: name, expiresAt, body } of publications) {
    if (expiresAt < first) first = expiresAt;
    if (expiresAt > last) last = expiresAt;
    text += `${etag} ${name} ${decimalMs(expiresAt)} ${body.length}\n${body}`;
  }
  return FORMAT + base36x9(version) + base36x8(last) + base36x8(first) + text;
}

/** Reads a record; an empty text is none. Throws `RangeError` when it is not a record that this code can read. */
export function readPublicationsText(text: string): PublicationSet {
  if (text === '') return NO_PUBLICATIONS;
  const version = readBase36(text, FORMAT.length, VERSION_END);
  if (!text.startsWith(FORMAT) || Number.isNaN(version))
    throw new RangeError('not publications of a known format');
  const publications: Publication[] = [];
  let at = HEADER_END;
  while (at < text.length) {
    const end = text.indexOf('\n', at);
    const [etag, name, expiresAt, length] = text.slice(at, end < 0 ? at : end).split(' ');
    if (etag === undefined || name === undefined || length === undefined)
      throw new RangeError('a publication in pieces');
    const start = end + 1;
    at = start + Number(length);
    publications.push({
      etag,
      package: name,
      expiresAt: epochMs(Number(expiresAt)),
      body: text.slice(start, at),
    });
  }
  return { version, publications };
}
