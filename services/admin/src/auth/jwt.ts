import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { StoreUnavailable } from '@rollcall/location';
import type { ApiScope } from '@rollcall/location';
import type { Identity } from './identity.ts';

export interface JwtOptions {
  readonly jwksUrl: string;
  readonly issuer: string | undefined;
  readonly audience: string;
}

/** Three parts of base64url (RFC 7515 §3.1). */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;
/** Signatures only: no `none`, and no secrets shared with the issuer (RFC 8725 §3.1). */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** Clocks of issuer and service may differ, seconds. */
const CLOCK_TOLERANCE_S = 30;
const TIMEOUT_MS = 3_000;
const SCOPES: readonly ApiScope[] = ['write', 'trace', 'read'];
const SCOPE_PREFIX = 'rollcall:';
const DOMAINS_CLAIM = 'rollcall_domains';

/**
 * JSON Web Tokens of an identity provider (RFC 7519, RFC 8725): `scope` holds rollcall:read, rollcall:trace or rollcall:write
 * (RFC 8693 §4.2), `rollcall_domains` the domains that the token sees; without it, all.
 */
export class JwtVerifier {
  readonly #keys: JWTVerifyGetKey;

  constructor(
    private readonly options: JwtOptions,
    keys?: JWTVerifyGetKey,
  ) {
    this.#keys = keys ?? createRemoteJWKSet(new URL(options.jwksUrl), { timeoutDuration: TIMEOUT_MS });
  }

  /** Undefined when the text is no token of the issuer, or none for us. Throws `StoreUnavailable` when the keys cannot be had. */
  async identify(text: string): Promise<Identity | undefined> {
    if (!JWT.test(text)) return undefined;
    const { issuer, audience } = this.options;
    try {
      const { payload } = await jwtVerify(text, this.#keys, {
        ...{ audience, algorithms: ALGORITHMS, clockTolerance: CLOCK_TOLERANCE_S },
        ...{ requiredClaims: ['exp', 'sub'], ...(issuer === undefined ? {} : { issuer }) },
      });
      return identityOf(payload);
    } catch (error) {
      if (error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError))
        throw new StoreUnavailable('the keys of the issuer cannot be had');
      return undefined;
    }
  }
}

function identityOf(payload: JWTPayload): Identity | undefined {
  const { sub, scope } = payload;
  const granted = new Set(typeof scope === 'string' ? scope.split(' ') : []);
  const best = SCOPES.find((one) => granted.has(SCOPE_PREFIX + one));
  if (best === undefined || sub === undefined) return undefined;
  const claimed = payload[DOMAINS_CLAIM];
  if (claimed === undefined) return { id: sub, scope: best, domains: undefined };
  // A claim that is not what it should be grants nothing.
  if (!Array.isArray(claimed)) return undefined;
  const domains = claimed.filter((domain) => typeof domain === 'string');
  return { id: sub, scope: best, domains: new Set(domains.map((domain) => domain.toLowerCase())) };
}
