import { describe, expect, it } from 'vitest';
import { challenge, hashOctets, readAnswer, Verifier } from '../src/index.ts';

const GOOD = {
  username: 'alice',
  realm: 'example.test',
  nonce: 'n',
  uri: 'sip:example.test',
  algorithm: 'MD5',
  qop: 'auth',
  nc: '0000000a',
  cnonce: 'c',
  response: '0'.repeat(32),
};

function check(change: Record<string, string | undefined>, kind: string): void {
  const params = new Map<string, string>();
  const wanted: Record<string, string | undefined> = { ...GOOD, ...change };
  for (const [name, value] of Object.entries(wanted)) if (value !== undefined) params.set(name, value);
  expect(readAnswer(params).kind).toBe(kind);
}

describe('reading an answer, RFC 7616 §3.4', () => {
  it('reads the count and the algorithm', () => {
    expect(readAnswer(new Map(Object.entries(GOOD)))).toMatchObject({
      kind: 'answer',
      algorithm: 'MD5',
      username: 'alice',
      auth: { nc: 10, ncText: '0000000a', cnonce: 'c' },
    });
  });

  it('R06 no algorithm is MD5; names are compared without case', () => {
    check({ algorithm: undefined }, 'answer');
    check({ algorithm: 'md5' }, 'answer');
    check({ algorithm: 'sha-256', response: 'a'.repeat(64) }, 'answer');
  });

  it('R07 unknown qop, no cnonce, a count that is no count', () => {
    check({ qop: 'auth-int' }, 'malformed');
    check({ qop: 'none' }, 'malformed');
    check({ cnonce: undefined }, 'malformed');
    check({ nc: undefined }, 'malformed');
    check({ nc: 'xyzxyzxy' }, 'malformed');
    check({ nc: '1' }, 'malformed');
    check({ nc: '00000000' }, 'malformed');
  });

  it('missing parameters, a response of the wrong length, two user names', () => {
    for (const name of ['username', 'realm', 'nonce', 'uri', 'response'])
      check({ [name]: undefined }, 'malformed');
    check({ response: 'abc' }, 'malformed');
    check({ algorithm: 'SHA-256' }, 'malformed');
    check({ 'username*': "UTF-8''alice" }, 'malformed');
    check({ username: undefined, 'username*': "latin1''alice" }, 'malformed');
  });

  it('RFC 8760 §2.7 an empty nonce or response is no answer yet', () => {
    check({ nonce: '' }, 'empty');
    check({ response: '' }, 'empty');
  });

  it('-sess and unknown algorithms were not offered', () => {
    check({ algorithm: 'MD5-sess' }, 'unoffered');
    check({ algorithm: 'SHA-512' }, 'unoffered');
  });

  it('E17 P1 an answer of RFC 2069 with neither qop nor cnonce but a quoted nc', () => {
    const ha1 = hashOctets('MD5', 'alice:example.test:secret');
    const response = hashOctets('MD5', `${ha1}:n:${hashOctets('MD5', 'REGISTER:sip:example.test')}`);
    const read = readAnswer(
      new Map(
        Object.entries({
          username: 'alice',
          realm: 'example.test',
          nonce: 'n',
          uri: 'sip:example.test',
          nc: '00000001',
          response,
        }),
      ),
    );
    if (read.kind !== 'answer') throw new Error(read.kind);
    expect(read.auth).toBeUndefined();
    expect(new Verifier().verify(read, 'REGISTER', ha1)).toBe(true);
    expect(new Verifier().verify(read, 'SUBSCRIBE', ha1)).toBe(false);
  });

  it('the kept H(A2) changes no verdict', () => {
    const ha1 = hashOctets('MD5', 'alice:example.test:secret');
    const verifier = new Verifier();
    const right = (uri: string): string =>
      hashOctets('MD5', `${ha1}:n:0000000a:c:auth:${hashOctets('MD5', `REGISTER:${uri}`)}`);
    const ask = (uri: string, response: string): boolean => {
      const read = readAnswer(new Map(Object.entries({ ...GOOD, uri, response })));
      return read.kind === 'answer' && verifier.verify(read, 'REGISTER', ha1);
    };
    for (const uri of ['sip:example.test', 'sip:example.test', 'sip:other.test', 'sip:example.test']) {
      expect(ask(uri, right(uri))).toBe(true);
      expect(ask(uri, right(uri).toUpperCase())).toBe(true);
      expect(ask(uri, right(`${uri}x`))).toBe(false);
    }
  });
});

describe('challenges, RFC 7616 §3.3 and RFC 8760 §2.3', () => {
  it('R01 one for each algorithm, strongest first, MD5 last, one nonce', () => {
    const text = challenge({
      realm: 'example.test',
      nonce: 'abc',
      algorithms: ['SHA-512-256', 'SHA-256', 'MD5'],
      stale: false,
    });
    expect(text).toBe(
      'WWW-Authenticate: Digest realm="example.test", qop="auth", algorithm=SHA-512-256, nonce="abc"\r\n' +
        'WWW-Authenticate: Digest realm="example.test", qop="auth", algorithm=SHA-256, nonce="abc"\r\n' +
        'WWW-Authenticate: Digest realm="example.test", qop="auth", algorithm=MD5, nonce="abc"\r\n',
    );
  });

  it('R04 stale=true is a token; a proxy challenges by another header', () => {
    const text = challenge({ realm: 'a"b', nonce: 'abc', algorithms: ['MD5'], stale: true, proxy: true });
    expect(text).toBe(
      'Proxy-Authenticate: Digest realm="a\\"b", qop="auth", algorithm=MD5, nonce="abc", stale=true\r\n',
    );
  });
});
