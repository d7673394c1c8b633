/**
 * X.509 certificates (RFC 5280) for a system on one's own machine and for tests: a small authority and what it signs, all
 * on P-256. Written here in DER because Node makes keys and signatures but no certificates.
 */
import {
  createHash,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
  type KeyObject,
} from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';

/** A certificate and its key, PEM; the issuer signs with `privateKey`. */
export interface Certificate {
  readonly pem: string;
  readonly keyPem: string;
  readonly name: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export interface CertificateOptions {
  /** Common name. */
  readonly name: string;
  /** Alternative names: DNS names, IP addresses, URIs such as `sip:example.test`. */
  readonly names?: readonly string[];
  /** Days from now; a negative number makes one that has expired. */
  readonly days?: number;
}

const DAY_MS = 86_400_000;
/** Certificates that begin in the past forgive a clock that is behind. */
const EARLY_MS = 3_600_000;
const SERIAL_BYTES = 16;
/** RFC 5280 §4.1.2.5: two digits of the year stand for these; later dates are of another type. */
const UTC_TIME_UNTIL = Date.UTC(2050, 0, 1);

// ASN.1 universal tags (X.690 §8) and the context tags that RFC 5280 §4.1 and §4.2.1.6 use.
const TAG = {
  boolean: 1,
  integer: 2,
  bits: 3,
  octets: 4,
  oid: 6,
  utf8: 12,
  utcTime: 23,
  time: 24,
  sequence: 48,
  set: 49,
};
const OID = {
  ecdsaWithSha256: [1, 2, 840, 10045, 4, 3, 2],
  commonName: [2, 5, 4, 3],
  subjectKeyId: [2, 5, 29, 14],
  keyUsage: [2, 5, 29, 15],
  alternativeName: [2, 5, 29, 17],
  basicConstraints: [2, 5, 29, 19],
  authorityKeyId: [2, 5, 29, 35],
  extendedKeyUsage: [2, 5, 29, 37],
  serverAuth: [1, 3, 6, 1, 5, 5, 7, 3, 1],
  clientAuth: [1, 3, 6, 1, 5, 5, 7, 3, 2],
} as const;

/** An authority of its own making. */
export const makeAuthority = (options: CertificateOptions): Certificate => make(options, undefined);

/** A certificate for servers and clients, signed by the authority. */
export const makeCertificate = (authority: Certificate, options: CertificateOptions): Certificate =>
  make(options, authority);

function make(
  { name, names = [], days = 365 }: CertificateOptions,
  issuer: Certificate | undefined,
): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const now = Date.now();
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const ends = now + days * DAY_MS;
  const begins = Math.min(now, ends) - EARLY_MS;
  const issuerKey = issuer ?? { privateKey, publicKey, name };
  const signed = sequence(
    der(0xa0, integer(Buffer.from([2]))), // version 3
    integer(randomBytes(SERIAL_BYTES)),
    algorithm,
    distinguishedName(issuerKey.name),
    sequence(time(begins), time(ends)),
    distinguishedName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions(names, issuer === undefined, publicKey, issuerKey.publicKey))),
  );
  const signature = sign('sha256', signed, issuerKey.privateKey);
  const whole = sequence(signed, algorithm, der(TAG.bits, Buffer.from([0]), signature));
  const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { pem: pem(whole), keyPem, name, privateKey, publicKey };
}

function extensions(
  names: readonly string[],
  authority: boolean,
  own: KeyObject,
  issuer: KeyObject,
): Buffer[] {
  // Bit 0 is digitalSignature, 5 keyCertSign, 6 cRLSign (RFC 5280 §4.2.1.3).
  const usage = authority ? Buffer.from([1, 0x06]) : Buffer.from([7, 0x80]);
  const list = [
    extension(
      OID.basicConstraints,
      true,
      sequence(...(authority ? [der(TAG.boolean, Buffer.from([0xff]))] : [])),
    ),
    extension(OID.keyUsage, true, der(TAG.bits, usage)),
    extension(OID.subjectKeyId, false, der(TAG.octets, keyId(own))),
    extension(OID.authorityKeyId, false, sequence(der(0x80, keyId(issuer)))),
  ];
  if (!authority) {
    list.push(extension(OID.extendedKeyUsage, false, sequence(oid(OID.serverAuth), oid(OID.clientAuth))));
  }
  if (names.length > 0) list.push(extension(OID.alternativeName, false, sequence(...names.map(generalName))));
  return list;
}

const extension = (id: readonly number[], critical: boolean, value: Buffer): Buffer =>
  sequence(oid(id), ...(critical ? [der(TAG.boolean, Buffer.from([0xff]))] : []), der(TAG.octets, value));

/** RFC 5280 §4.2.1.6: URI, IP address or DNS name. */
function generalName(name: string): Buffer {
  if (isIP(name) === 4) return der(0x87, Buffer.from(name.split('.').map(Number)));
  if (isIP(name) === 6) return der(0x87, ipv6(name));
  return der(name.includes(':') ? 0x86 : 0x82, Buffer.from(name, 'latin1'));
}

function ipv6(address: string): Buffer {
  const [head = '', tail] = address.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((part) => parseInt(part, 16)));
  const [left, right] = [groups(head), tail === undefined ? [] : groups(tail)];
  const all = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

/** RFC 5280 §4.2.1.2, method 1, over the key as it stands in the certificate. */
const keyId = (key: KeyObject): Buffer =>
  createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();

const distinguishedName = (commonName: string): Buffer =>
  sequence(der(TAG.set, sequence(oid(OID.commonName), der(TAG.utf8, Buffer.from(commonName)))));

function time(at: number): Buffer {
  const digits = `${new Date(at).toISOString().replaceAll(/[-:T]|\..*/g, '')}Z`;
  return at < UTC_TIME_UNTIL
    ? der(TAG.utcTime, Buffer.from(digits.slice(2), 'latin1'))
    : der(TAG.time, Buffer.from(digits, 'latin1'));
}

/** Of a positive number: its first bit is 0, and its first octet says something. */
function integer(value: Buffer): Buffer {
  const octets = Buffer.from(value);
  octets[0] = (octets[0] ?? 0) & 0x7f || 1;
  return der(TAG.integer, octets);
}

function oid([first = 0, second = 0, ...rest]: readonly number[]): Buffer {
  const octets = [first * 40 + second];
  for (const part of rest) {
    const digits = [part & 0x7f];
    for (let more = Math.floor(part / 128); more > 0; more = Math.floor(more / 128))
      digits.unshift(0x80 | (more & 0x7f));
    octets.push(...digits);
  }
  return der(TAG.oid, Buffer.from(octets));
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(TAG.sequence, ...parts);

/** Tag, length, value (X.690 §8.1). */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), value]);
}

function pem(whole: Buffer): string {
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** Files of a local system's certificate. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  /** What a client has to trust. */
  readonly authority: string;
}

/** They are for trying things out; nobody is to keep them for long. */
const VALID_DAYS = 90;

/**
 * The certificate of a local system, for its domain and the addresses of this machine: kept in the folder and made anew when
 * half of its life is over or the host is another. The authority's key is thrown away.
 */
export function localCertificate(folder: string, domain: string, host: string): CertificateFiles {
  mkdirSync(folder, { recursive: true });
  const files = {
    authority: join(folder, 'ca.pem'),
    certificate: join(folder, 'certificate.pem'),
    key: join(folder, 'key.pem'),
  };
  if (existsSync(files.certificate) && isFresh(files.certificate, host)) return files;
  const authority = makeAuthority({ name: 'Rollcall local authority', days: VALID_DAYS });
  const addresses = Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map(({ address }) => address),
  );
  const names = new Set([domain, `sip:${domain}`, 'localhost', '127.0.0.1', '::1', host, ...addresses]);
  const usable = [...names].filter((name) => name !== '0.0.0.0' && name !== '::' && !name.startsWith('fe80'));
  const made = makeCertificate(authority, { name: domain, names: usable, days: VALID_DAYS });
  writeFileSync(files.authority, authority.pem);
  writeFileSync(files.key, made.keyPem, { mode: 0o600 });
  writeFileSync(files.certificate, made.pem);
  return files;
}

function isFresh(file: string, host: string): boolean {
  const certificate = new X509Certificate(readFileSync(file));
  const isForHost = host === '0.0.0.0' || host === '::' || certificate.checkIP(host) !== undefined;
  return isForHost && Date.parse(certificate.validTo) - Date.now() > (VALID_DAYS / 2) * DAY_MS;
}
