import { describe, expect, it } from 'vitest';
import { readAnswer } from '../src/index.ts';

const TOP = 'Via: SIP/2.0/TCP 10.0.0.1:5070;branch=z9hG4bKab-_9.1\r\n';
const REST =
  'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKphone\r\nFrom: <sip:a@example.test>;tag=1\r\n' +
  'To: <sip:a@example.test>;tag=2\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n';

describe('readAnswer', () => {
  const good = `SIP/2.0 200 OK\r\n${TOP}${REST}`;

  it('takes our Via off, however much it reads', () => {
    for (const reading of ['top', 'whole'] as const) {
      const answer = readAnswer(good, reading);
      expect(answer).toMatchObject({ kind: 'response', status: 200, branch: 'z9hG4bKab-_9.1' });
      expect(answer?.below).toBe(`SIP/2.0 200 OK\r\n${REST}`);
      expect(answer?.response.header('call-id')).toBe('c');
    }
  });

  it.each([
    ['another spelling', `SIP/2.0 200 OK\r\nv: SIP/2.0/TCP 10.0.0.1;branch=z9hG4bKx\r\n${REST}`, REST],
    ['a parameter behind the branch', `SIP/2.0 200 OK\r\n${TOP.replace('.1\r', ';rport=1\r')}${REST}`, REST],
    [
      'two values in one line',
      'SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKx, SIP/2.0/UDP p;branch=z9hG4bKy\r\nCall-ID: c\r\n\r\n',
      'Via: SIP/2.0/UDP p;branch=z9hG4bKy\r\nCall-ID: c\r\nContent-Length: 0\r\n\r\n',
    ],
    ['a fold', `SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKx\r\n ;rport=1\r\n${REST}`, REST],
    ['another place', `SIP/2.0 200 OK\r\nServer: s\r\n${TOP}${REST}`, `Server: s\r\n${REST}`],
  ])('reads the whole of one with %s', (_, raw, rest) => {
    const answer = readAnswer(raw, 'top');
    expect(answer?.branch).toBe(readAnswer(raw, 'whole')?.branch);
    expect(answer?.below).toBe(`SIP/2.0 200 OK\r\n${rest}`);
  });

  it.each([
    ['a request', `REGISTER sip:example.test SIP/2.0\r\n${TOP}${REST}`],
    ['a status past 699', good.replace('200', '700')],
    ['a status that is no number', good.replace('200', '2x0')],
    ['no Via', `SIP/2.0 200 OK\r\nCall-ID: c\r\nContent-Length: 0\r\n\r\n`],
    ['no branch', `SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h\r\nCall-ID: c\r\nContent-Length: 0\r\n\r\n`],
    ['nothing', ''],
  ])('is undefined for %s', (_, raw) => {
    expect(readAnswer(raw, 'top')).toBeUndefined();
    expect(readAnswer(raw, 'whole')).toBeUndefined();
  });

  it('says of a malformed header only when somebody reads it, if told to look at the top alone', () => {
    const bad = good.replace('Call-ID: c', 'no header');
    expect(readAnswer(bad, 'whole')).toBeUndefined();
    expect(() => readAnswer(bad, 'top')?.response).toThrow('no response');
  });
});
