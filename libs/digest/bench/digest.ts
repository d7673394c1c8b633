/**
 * What one challenge and one verification cost. Run:
 * node --import tsx --conditions=@rollcall/source libs/digest/bench/digest.ts
 */
import {
  ALGORITHMS,
  challenge,
  hashHa1,
  hashOctets,
  NonceAuthority,
  readAnswer,
  Verifier,
} from '../src/index.ts';
import type { Algorithm } from '../src/index.ts';

const ROUNDS = 200_000;
const realm = 'example.test';
const uri = 'sip:example.test';

function time(what: string, work: (i: number) => void): void {
  for (let i = 0; i < ROUNDS / 10; i += 1) work(i);
  const start = process.hrtime.bigint();
  for (let i = 0; i < ROUNDS; i += 1) work(i);
  const us = Number(process.hrtime.bigint() - start) / ROUNDS / 1_000;
  console.log(`${what.padEnd(48)} ${us.toFixed(2).padStart(6)} µs`);
}

function answers(
  authority: NonceAuthority,
  algorithm: Algorithm,
  ha1: string,
  now: number,
): Map<string, string>[] {
  const ha2 = hashOctets(algorithm, `REGISTER:${uri}`);
  return Array.from({ length: 1_000 }, () => {
    const nonce = authority.issue(now);
    const response = hashOctets(algorithm, `${ha1}:${nonce}:00000001:0a4f113b:auth:${ha2}`);
    return new Map(
      Object.entries({
        username: 'alice',
        realm,
        nonce,
        uri,
        response,
        algorithm,
        qop: 'auth',
        nc: '00000001',
        cnonce: '0a4f113b',
      }),
    );
  });
}

const now = Date.now();
const options = {
  edge: 'edge-1/1',
  secret: 'secret',
  lifetimeMs: 3_600_000,
  rotationMs: 3_600_000,
  highWaterLimit: 100_000,
};
const authority = new NonceAuthority(options);
time('nonce', () => authority.issue(now));
time('nonce and three challenges', () => {
  challenge({ realm, nonce: authority.issue(now), algorithms: ALGORITHMS, stale: false });
});
for (const algorithm of ALGORITHMS) {
  const ha1 = hashHa1(algorithm, 'alice', realm, 'secret');
  const verifier = new Verifier();
  const prepared = answers(authority, algorithm, ha1, now);
  time(`read, check nonce, verify, count: ${algorithm}`, (i) => {
    const answer = readAnswer(prepared[i % prepared.length] as Map<string, string>);
    if (answer.kind !== 'answer') throw new Error(answer.kind);
    if (authority.check(answer.nonce, now) !== 'fresh') throw new Error('not fresh');
    if (!verifier.verify(answer, 'REGISTER', ha1)) throw new Error('wrong');
    authority.accept(answer.nonce, i + 1);
  });
}
