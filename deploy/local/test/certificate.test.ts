import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { localCertificate, makeAuthority, makeCertificate } from '../src/certificate.ts';

const names = ['example.test', '*.phones.test', 'sip:example.test', '127.0.0.1', '2001:db8::5'];
const authority = makeAuthority({ name: 'An authority' });
const made = makeCertificate(authority, { name: 'example.test', names });

describe('RFC 5280: what is made', () => {
  it('is signed by the authority, and names what it is for', () => {
    const certificate = new X509Certificate(made.pem);
    expect(certificate.verify(authority.publicKey)).toBe(true);
    expect(certificate.checkIssued(new X509Certificate(authority.pem))).toBe(true);
    expect(certificate.checkHost('example.test')).toBe('example.test');
    expect(certificate.checkHost('a.phones.test')).toBe('*.phones.test');
    expect(certificate.checkHost('other.test')).toBeUndefined();
    expect(certificate.checkIP('2001:db8::5')).toBe('2001:db8::5');
    expect(certificate.subjectAltName).toContain('URI:sip:example.test');
    expect(certificate.ca).toBe(false);
    expect(new X509Certificate(authority.pem).ca).toBe(true);
  });

  it('begins and ends when it should, an expired one too, and beyond the years of UTCTime', () => {
    const days = (pem: string) =>
      Math.round((Date.parse(new X509Certificate(pem).validTo) - Date.now()) / 86_400_000);
    expect(days(made.pem)).toBe(365);
    expect(days(makeCertificate(authority, { name: 'a', days: -2 }).pem)).toBe(-2);
    expect(days(makeCertificate(authority, { name: 'a', days: 12_000 }).pem)).toBe(12_000);
  });

  it('serves TLS to a client that trusts the authority, for its names only', async () => {
    const server = createServer({ cert: made.pem, key: made.keyPem }, (socket) => socket.end());
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const attempt = (servername: string) =>
      new Promise<string>((resolve) => {
        const socket = connect({ host: '127.0.0.1', port, servername, ca: authority.pem }, () =>
          resolve('trusted'),
        );
        socket.on('error', (error: Error) => resolve(error.message));
        socket.on('secureConnect', () => socket.destroy());
      });
    expect(await attempt('example.test')).toBe('trusted');
    expect(await attempt('other.test')).toMatch(/altnames/);
    server.close();
  });
});

describe('the certificate of a local system', () => {
  it('is kept, until the host is another; its key is for its owner', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rollcall-tls-'));
    const first = localCertificate(folder, 'example.test', '127.0.0.1');
    const text = readFileSync(first.certificate, 'utf8');
    expect(new X509Certificate(text).checkHost('example.test')).toBe('example.test');
    expect(statSync(first.key).mode & 0o777).toBe(0o600);
    expect(readFileSync(localCertificate(folder, 'example.test', '0.0.0.0').certificate, 'utf8')).toBe(text);
    expect(readFileSync(localCertificate(folder, 'example.test', '192.0.2.9').certificate, 'utf8')).not.toBe(
      text,
    );
    rmSync(folder, { recursive: true });
  });
});
