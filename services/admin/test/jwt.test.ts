import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '@rollcall/config';
import { StoreUnavailable } from '@rollcall/location';
import { JwtVerifier } from '../src/auth/jwt.ts';
import { adminConfig, contradiction } from '../src/config.ts';
import { harness } from './harness.ts';

const ISSUER = 'https://id.example.test/';
const options = { jwksUrl: 'https://id.example.test/jwks', issuer: ISSUER, audience: 'rollcall' };
let key: Awaited<ReturnType<typeof generateKeyPair>>;
let other: Awaited<ReturnType<typeof generateKeyPair>>;
let jwk: JWK;
let verifier: JwtVerifier;

beforeAll(async () => {
  key = await generateKeyPair('ES256');
  other = await generateKeyPair('ES256');
  jwk = { ...(await exportJWK(key.publicKey)), kid: 'k1', alg: 'ES256' };
  verifier = new JwtVerifier(options, createLocalJWKSet({ keys: [jwk] }));
});

function token(claims: Record<string, unknown> = {}, signed = key.privateKey): Promise<string> {
  const {
    iss = ISSUER,
    aud = 'rollcall',
    exp = '5m',
    ...rest
  } = claims as { iss?: string; aud?: string; exp?: string };
  return new SignJWT({ scope: 'rollcall:read', ...rest })
    .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
    .setSubject('operator@example.test')
    .setIssuer(iss)
    .setAudience(aud)
    .setExpirationTime(exp)
    .sign(signed);
}

describe('A07 JSON Web Tokens', () => {
  test('A07 the widest scope that is granted counts; domains bind', async () => {
    expect(await verifier.identify(await token())).toEqual({
      id: 'operator@example.test',
      scope: 'read',
      domains: undefined,
    });
    expect(
      await verifier.identify(await token({ scope: 'openid rollcall:trace rollcall:write' })),
    ).toMatchObject({ scope: 'write' });
    const bound = await verifier.identify(await token({ rollcall_domains: ['Example.TEST'] }));
    expect(bound?.domains).toEqual(new Set(['example.test']));
  });

  test.each([
    ['of another issuer', { iss: 'https://evil.example.test/' }],
    ['for another audience', { aud: 'somebody' }],
    ['past its time', { exp: '-5m' }],
    ['without a scope of ours', { scope: 'openid' }],
    ['with domains that are no list', { rollcall_domains: 'example.test' }],
  ])('A07 a token %s is none', async (_, claims) => {
    expect(await verifier.identify(await token(claims))).toBeUndefined();
  });

  test('A07 nor is one with a signature of another key, without one, or signed with the public key as a secret', async () => {
    expect(await verifier.identify(await token({}, other.privateKey))).toBeUndefined();
    const [, payload] = (await token()).split('.');
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    expect(await verifier.identify(`${part({ alg: 'none' })}.${payload ?? ''}.`)).toBeUndefined();
    const hs = new SignJWT({ scope: 'rollcall:write' })
      .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
      .setSubject('x');
    const secret = new TextEncoder().encode(JSON.stringify(jwk));
    const forged = await hs.setIssuer(ISSUER).setAudience('rollcall').setExpirationTime('5m').sign(secret);
    expect(await verifier.identify(forged)).toBeUndefined();
  });

  test('A07 when the keys cannot be had, that is said, and nobody is let in', async () => {
    const away = new JwtVerifier(options, () => Promise.reject(new TypeError('fetch failed')));
    await expect(away.identify(await token())).rejects.toThrow(StoreUnavailable);
  });

  test('A07 over REST: read may read, and no more', async () => {
    const { call } = await harness({ jwt: verifier });
    const read = await token();
    expect((await call('GET', '/v1/domains', { token: read })).status).toBe(200);
    expect(
      (await call('POST', '/v1/webhooks', { token: read, body: { url: 'https://a.example.test/' } })).status,
    ).toBe(403);
    expect((await call('GET', '/v1/domains', { token: `${read.slice(0, -2)}xx` })).status).toBe(401);
  });
});

test('too many requests from one address are 429 with Retry-After, as a problem', async () => {
  const { call } = await harness({ rateLimit: 3 });
  const answers = [];
  for (let n = 0; n < 4; n += 1) answers.push(await call('GET', '/v1/domains'));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
  expect(answers[3]?.json).toMatchObject({ type: '/problems/too-many-requests', status: 429 });
  expect(Number(answers[3]?.headers['retry-after'])).toBeGreaterThan(0);
});

test('O06 keys of an issuer want the name of the issuer', () => {
  const url = { ROLLCALL_ADMIN_JWKS_URL: options.jwksUrl };
  const read = (env: Readonly<Record<string, string>>) => {
    const config = loadConfig(adminConfig, { ROLLCALL_ADMIN_TOKEN: 'a token of a test', ...env });
    return config.ok ? contradiction(config.value) : config.error;
  };
  expect(read(url)).toBe('ROLLCALL_ADMIN_JWKS_URL wants ROLLCALL_ADMIN_JWT_ISSUER');
  expect(read({ ...url, ROLLCALL_ADMIN_JWT_ISSUER: ISSUER })).toBeUndefined();
  expect(read({})).toBeUndefined();
});
