import { describe, expect, it } from 'vitest';
import { hashHa1, hashOctets, hashUsername, readAnswer, Verifier } from '../src/index.ts';
import type { Algorithm, Answer } from '../src/index.ts';

/** RFC 7616 §3.9.1, the two answers to one nonce. */
const MUFASA = {
  username: 'Mufasa',
  realm: 'http-auth@example.org',
  uri: '/dir/index.html',
  nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
  nc: '00000001',
  cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  qop: 'auth',
  opaque: 'FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS',
};
const MUFASA_PASSWORD = 'Circle of Life';

/** RFC 7616 §3.9.2, with the username hash and the response of erratum 4897: the printed ones are SHA-512 cut short, not SHA-512/256. */
const JASON = {
  realm: 'api@example.org',
  uri: '/doe.json',
  algorithm: 'SHA-512-256',
  nonce: '5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK',
  nc: '00000001',
  cnonce: 'NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v',
  qop: 'auth',
  response: '3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5',
};
const JASON_NAME = 'J\u00e4s\u00f8n Doe';
const JASON_PASSWORD = 'Secret, or not?';

function answer(params: Record<string, string>): Answer {
  const read = readAnswer(new Map(Object.entries(params)));
  if (read.kind !== 'answer') throw new Error(`not an answer: ${read.kind}`);
  return read;
}

function check(params: Record<string, string>, username: string, password: string, expected: boolean): void {
  const read = answer(params);
  const ha1 = hashHa1(read.algorithm, username, read.realm, password);
  expect(new Verifier().verify(read, 'GET', ha1)).toBe(expected);
}

describe('RFC 7616 §3.9 examples', () => {
  it('R06 §3.9.1 MD5', () => {
    check(
      { ...MUFASA, algorithm: 'MD5', response: '8ca523f5e9506fed4657c9700eebdbec' },
      'Mufasa',
      MUFASA_PASSWORD,
      true,
    );
  });

  it('R06 §3.9.1 SHA-256', () => {
    const response = '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1';
    check({ ...MUFASA, algorithm: 'SHA-256', response }, 'Mufasa', MUFASA_PASSWORD, true);
    check({ ...MUFASA, algorithm: 'SHA-256', response }, 'Mufasa', 'Circle of life', false);
  });

  it('R06 §3.9.2 SHA-512-256 with userhash=true', () => {
    const username = '793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b';
    expect(hashUsername('SHA-512-256', JASON_NAME, JASON.realm)).toBe(username);
    expect(answer({ ...JASON, username, userhash: 'true' })).toMatchObject({ username, userhash: true });
    check({ ...JASON, username, userhash: 'true' }, JASON_NAME, JASON_PASSWORD, true);
  });

  it('R06 §3.9.2 SHA-512-256 with username*', () => {
    const params = { ...JASON, 'username*': "UTF-8''J%C3%A4s%C3%B8n%20Doe", userhash: 'false' };
    expect(answer(params).username).toBe(Buffer.from(JASON_NAME, 'utf8').toString('latin1'));
    check(params, JASON_NAME, JASON_PASSWORD, true);
  });

  it('RFC 8760 §2.6 item 7: the hash of nothing', () => {
    const ofNothing: Record<Algorithm, string> = {
      MD5: 'd41d8cd98f00b204e9800998ecf8427e',
      'SHA-256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      'SHA-512-256': 'c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a',
    };
    for (const [algorithm, hex] of Object.entries(ofNothing))
      expect(hashOctets(algorithm as Algorithm, '')).toBe(hex);
  });

  it('octets above 0x7F are hashed as they came', () => {
    const utf8 = Buffer.from('é', 'utf8').toString('latin1');
    expect(hashOctets('MD5', `${utf8}:r:p`)).toBe(hashHa1('MD5', 'é', 'r', 'p'));
  });
});
