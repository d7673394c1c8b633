import { describe, expect, it } from 'vitest';
import { StreamFramer, checkRequest, parseMessage, parseUri } from '../src/index.ts';
import { HOSTILE } from './hostile.ts';
import { fixture, problemOf, readTyped, requestOf } from './wire.ts';

/** How each ends at its full size, and at a size that fits into a header line. */
const OUTCOMES: Readonly<Record<string, readonly [string, string]>> = {
  RED01: ['line-too-long', 'accepted'],
  RED02: ['line-too-long', 'contacts: params'],
  RED03: ['line-too-long', 'accepted'],
  RED04: ['line-too-long', 'contacts: too-many-contacts'],
  RED05: ['too-many-headers', 'too-many-vias'],
  RED06: ['too-many-headers', 'accepted'],
  RED07: ['line-too-long', 'contacts: uri-host'],
  RED08: ['line-too-long', 'contacts: name-addr'],
  RED09: ['line-too-long', 'too-many-vias'],
  RED10: ['line-too-long', 'accepted'],
  RED11: ['line-too-long', 'accepted'],
  RED12: ['empty', 'empty'],
};
/** Fits into a line of 8 KiB with the others, and into 200 headers. */
const SMALL = 150;

function outcomeOf(raw: string): string {
  const parsed = parseMessage(raw);
  if (!parsed.ok) return parsed.error.code;
  const request = requestOf(raw);
  const problem = checkRequest(request, { stream: false });
  if (problem !== undefined) return problem.code;
  const refused = readTyped(request).find(([, outcome]) => !outcome.ok);
  return refused === undefined ? 'accepted' : `${refused[0]}: ${refused[1].error?.code ?? ''}`;
}

describe('hostile input', () => {
  it.each(HOSTILE)('$id $size $what', ({ id, make, size }) => {
    expect([outcomeOf(make(size)), outcomeOf(make(SMALL))]).toEqual(OUTCOMES[id]);
  });

  it('RED12 64 KiB of CRLF on a stream are keep-alives, in whatever pieces', () => {
    const whole = '\r\n'.repeat(32_768);
    const framer = new StreamFramer({ maxHeaderBytes: 8192, maxBodyBytes: 8192 });
    expect(framer.push(whole)).toHaveLength(16_384);
    const bytes = Array.from({ length: 4096 }, (_, i) => framer.push(whole.slice(i, i + 1)).length);
    expect(bytes.reduce((sum, count) => sum + count, 0)).toBe(1024);
    expect(framer.pending).toBe(0);
  });

  it('RED a URI with 65 parameters is refused', () => {
    const params = (count: number) => Array.from({ length: count }, (_, i) => `;p${String(i)}`).join('');
    expect(parseUri(`sip:a@b${params(64)}`).ok).toBe(true);
    expect(problemOf(parseUri(`sip:a@b${params(65)}`)).code).toBe('uri-params');
  });

  it('ADV01 a long CSeq method, ADV11 a long Authorization', () => {
    const raw = fixture('rfc4475/semiuri.sip');
    expect(outcomeOf(raw.replace('8 OPTIONS', `8 ${'O'.repeat(5000)}`))).toBe('cseq-method');
    expect(outcomeOf(raw.replace('l: 0', `Authorization: Digest ${'a=b,'.repeat(1500)}`))).toBe(
      'authorization: auth-param',
    );
  });
});
