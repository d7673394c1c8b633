import { describe, expect, it } from 'vitest';
import { StreamFramer } from '../src/index.ts';
import type { FramerEvent } from '../src/index.ts';
import { fixture, fixturesIn, registerWith, requestOf } from './wire.ts';

const LIMITS = { maxHeaderBytes: 4096, maxBodyBytes: 1024 };

/** All the events of a stream that comes in these chunks. */
function frame(chunks: readonly string[], limits = LIMITS): FramerEvent[] {
  const framer = new StreamFramer(limits);
  return chunks.flatMap((chunk) => framer.push(chunk));
}

const names = (events: readonly FramerEvent[]): string[] =>
  events.map((event) => (event.kind === 'problem' ? event.problem.code : event.kind));

const pieces = (text: string, size: number): string[] =>
  Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size));

/** Events without the objects that differ by identity. */
const plain = (events: readonly FramerEvent[]) =>
  events.map((event) =>
    event.kind === 'problem'
      ? { ...event, problem: { ...event.problem, request: event.problem.request?.raw } }
      : event,
  );

const withBody = (body: string): string =>
  registerWith().replace('Content-Length: 0', `Content-Length: ${String(body.length)}`) + body;

describe('StreamFramer', () => {
  it('cuts messages by their Content-Length', () => {
    const stream = [
      registerWith(),
      withBody('a\r\n\r\nb\0'),
      registerWith('l : \r\n\t0').replace('Content-Length: 0\r\n', ''),
    ];
    expect(frame([stream.join('')])).toEqual(stream.map((raw) => ({ kind: 'message', raw })));
  });

  it('E-keepalive tells CRLFCRLF between messages, and ignores CRLF (RFC 5626 §3.5.1, RFC 3261 §7.5)', () => {
    expect(names(frame([`\r\n\r\n${registerWith()}\r\n${registerWith()}\r\n\r\n\r\n\r\n\r\n`]))).toEqual([
      'keepalive',
      'message',
      'message',
      'keepalive',
      'keepalive',
    ]);
  });

  it.each([
    ['Content-Length: -1', 'number'],
    ['Content-Length: 0x5', 'number'],
    ['Content-Length: +5', 'number'],
    ['Content-Length:', 'number'],
    ['Content-Length: 1 2', 'number'],
    ['X: 1', 'content-length-missing'],
    ['Content-Length: 5\r\nl: 5', 'header-repeated'],
    ['Content-Length: 1025', 'body-too-large'],
    ['Content-Length: 99999999999999999999', 'body-too-large'],
  ])('TRN ends with a problem at %j: %s', (header, code) => {
    const raw = registerWith().replace('Content-Length: 0', header);
    const events = frame([raw + registerWith()]);
    expect(names(events)).toEqual([code]);
    const [event] = events;
    expect(event?.kind === 'problem' && event.problem.request?.header('call-id')).toBe('c1');
    expect(event?.kind === 'problem' && event.problem.status).toBe(code === 'body-too-large' ? 413 : 400);
  });

  it('refuses what is no SIP at its first octet, or at the end of its head', () => {
    expect(names(frame(['\x16\x03\x01']))).toEqual(['start-line']);
    expect(names(frame(['\0']))).toEqual(['start-line']);
    expect(names(frame(['GET / HTTP/1.1\r\nContent-Length: 0\r\nHost: x\r\n\r\n']))).toEqual(['message']);
    expect(names(frame(['GET / HTTP/1.1\r\nHost: x\r\n\r\n']))).toEqual(['start-line']);
  });

  it('TRN holds no more than its limits', () => {
    const endless = `REGISTER sip:a SIP/2.0\r\nX: ${'a'.repeat(10_000)}`;
    for (const size of [1, 100, 20_000]) {
      const framer = new StreamFramer(LIMITS);
      const events = pieces(endless, size).flatMap((chunk) => {
        const seen = framer.push(chunk);
        expect(framer.pending).toBeLessThan(LIMITS.maxHeaderBytes);
        return seen;
      });
      expect(names(events)).toEqual(['head-too-large']);
      expect(framer.pending).toBe(0);
    }
  });

  it('takes a head of exactly the limit, and none of one more', () => {
    const raw = registerWith();
    const limits = (maxHeaderBytes: number) => ({ maxHeaderBytes, maxBodyBytes: 0 });
    for (const size of [1, 7, raw.length]) {
      expect(names(frame(pieces(raw, size), limits(raw.length)))).toEqual(['message']);
      expect(names(frame(pieces(raw, size), limits(raw.length - 1)))).toEqual(['head-too-large']);
    }
  });

  it('is silent after a problem', () => {
    const framer = new StreamFramer(LIMITS);
    expect(framer.push('\0')).toHaveLength(1);
    expect(framer.push(registerWith())).toEqual([]);
  });

  it('SMUG two pipelined requests with keep-alives give the same for every split point', () => {
    const stream = `\r\n\r\n${withBody('one\r\n\r\ntwo')}\r\n\r\n${fixture('rfc5118/ipv6-good.sip')}\r\n${withBody('')}`;
    const whole = frame([stream]);
    expect(names(whole)).toEqual(['keepalive', 'message', 'keepalive', 'message', 'message']);
    for (let at = 0; at <= stream.length; at += 1)
      expect(frame([stream.slice(0, at), stream.slice(at)])).toEqual(whole);
    for (const size of [1, 2, 3, 5, 64]) expect(frame(pieces(stream, size))).toEqual(whole);
  });

  it.each([...fixturesIn('rfc4475'), ...fixturesIn('rfc5118'), ...fixturesIn('rfc5118-crlf')])(
    'B24 SMUG %s is cut alike in pieces of any size',
    (file) => {
      const raw = fixture(file);
      const whole = plain(frame([raw], { maxHeaderBytes: 8192, maxBodyBytes: 65536 }));
      for (const size of [1, 2, 7, 100]) {
        expect(plain(frame(pieces(raw, size), { maxHeaderBytes: 8192, maxBodyBytes: 65536 }))).toEqual(whole);
      }
    },
  );

  it('hands out what parseMessage reads to the last octet', () => {
    const body = 'x\0\r\n';
    const [event] = frame(pieces(withBody(body), 3));
    expect(event?.kind === 'message' && requestOf(event.raw).body).toBe(body);
  });
});
