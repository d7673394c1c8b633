import { hash } from 'node:crypto';

/** Hash algorithms that are offered, strongest first and MD5 last: the order of the challenges (RFC 8760 §2.3). */
export const ALGORITHMS = ['SHA-512-256', 'SHA-256', 'MD5'] as const;

/** A name of the IANA registry "Hash Algorithms for HTTP Digest Authentication". The `-sess` variants are not offered. */
export type Algorithm = (typeof ALGORITHMS)[number];

/** H(A1) of one user by algorithm, lower-case hex. */
export type Ha1Set = Partial<Record<Algorithm, string>>;

const OPENSSL_NAMES: Readonly<Record<Algorithm, string>> = {
  'SHA-512-256': 'sha512-256',
  'SHA-256': 'sha256',
  MD5: 'md5',
};

/** Hex digits of a digest by algorithm: 128 bits for MD5, 256 for the others (RFC 8760 §2.2). */
export const HEX_DIGITS: Readonly<Record<Algorithm, number>> = { 'SHA-512-256': 64, 'SHA-256': 64, MD5: 32 };

/**
 * The algorithm an answer names. No parameter means MD5 (RFC 7616 §3.3); names are compared without case, as tokens of
 * RFC 3261 §7.3.1 are. Undefined for what was not offered, `-sess` included.
 */
export function algorithmNamed(token: string | undefined): Algorithm | undefined {
  if (token === undefined) return 'MD5';
  for (const algorithm of ALGORITHMS) if (algorithm === token) return algorithm;
  const upper = token.toUpperCase();
  return ALGORITHMS.find((algorithm) => algorithm === upper);
}

/** H(data) of RFC 7616 §3.3 in lower-case hex; `octets` has one character for each octet. */
export function hashOctets(algorithm: Algorithm, octets: string): string {
  // crypto.hash encodes strings as UTF-8, which is the identity on ASCII only.
  const ascii = Buffer.byteLength(octets) === octets.length;
  return hash(OPENSSL_NAMES[algorithm], ascii ? octets : Buffer.from(octets, 'latin1'));
}

/**
 * H(A1) = H(username ":" realm ":" password) in lower-case hex (RFC 7616 §3.4.2).
 * The three are text as a person types it and are hashed as UTF-8.
 */
export function hashHa1(algorithm: Algorithm, username: string, realm: string, password: string): string {
  return hash(OPENSSL_NAMES[algorithm], `${username}:${realm}:${password}`);
}

/** H(A1) for every algorithm that is offered: what is stored of a password. */
export function ha1Set(username: string, realm: string, password: string): Required<Ha1Set> {
  return {
    'SHA-512-256': hashHa1('SHA-512-256', username, realm, password),
    'SHA-256': hashHa1('SHA-256', username, realm, password),
    MD5: hashHa1('MD5', username, realm, password),
  };
}

/** H(username ":" realm): what a client sends as `username` with `userhash=true` (RFC 7616 §3.4.4). */
export function hashUsername(algorithm: Algorithm, username: string, realm: string): string {
  return hash(OPENSSL_NAMES[algorithm], `${username}:${realm}`);
}
