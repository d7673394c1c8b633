import { describe, expect, it } from 'vitest';
import { answerChallenge, pickChallenge, readChallenge } from '../src/phone/answer.ts';
import { numberedAccounts } from '../src/users.ts';

describe('the phone answers challenges', () => {
  // RFC 7616 §3.9.1
  const common = { method: 'GET', uri: '/dir/index.html', user: 'Mufasa', password: 'Circle of Life', nc: 1 };
  const nonce = '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v';
  const cnonce = 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ';
  it.each([
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ])('with %s as RFC 7616 §3.9.1 does', (algorithm, response) => {
    const challenge = readChallenge(
      `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, nonce="${nonce}"`,
    );
    expect(answerChallenge(challenge, { ...common, cnonce })).toContain(`response="${response}"`);
  });

  it('takes the first that it knows', () => {
    const values = [
      'Digest realm="r", algorithm=SHA-512-256, nonce="1"',
      'Digest realm="r", algorithm=MD5, nonce="2"',
    ];
    expect(pickChallenge(values)?.get('nonce')).toBe('1');
    expect(pickChallenge(values, ['MD5'])?.get('nonce')).toBe('2');
    expect(pickChallenge(values, ['SHA-256'])).toBeUndefined();
  });
});

describe('numbered accounts', () => {
  const names = (count: number) => [...numberedAccounts(count)].map((one) => one.user);
  it('are five digits wide, and six from 100000 up', () => {
    expect(names(2)).toEqual(['u00001', 'u00002']);
    expect(names(100_000)[0]).toBe('u000001');
    expect(names(100_000).at(-1)).toBe('u100000');
    expect([...numberedAccounts(1)][0]?.password).toBe('pass-u00001');
  });
});
