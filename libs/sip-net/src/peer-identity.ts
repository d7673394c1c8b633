import type { X509Certificate } from 'node:crypto';
import { checkServerIdentity, type PeerCertificate, type TLSSocket } from 'node:tls';

/** Who the client of a TLS connection has proved to be; undefined when it has shown no certificate that we trust. */
export function certificateNamesOf(socket: TLSSocket): readonly string[] | undefined {
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  return certificate === undefined ? undefined : namesOf(certificate);
}

/** RFC 5922 §7.1: `sip:` URIs and DNS names among the alternative names; only without any, the common name. */
function namesOf(certificate: X509Certificate): readonly string[] {
  const alternative = alternativeNames(certificate.subjectAltName ?? '');
  if (alternative.length > 0) return alternative;
  const common = /^CN=(.+)$/m.exec(certificate.subject)?.[1];
  return common === undefined ? [] : [common.toLowerCase()];
}

/** Hosts out of Node's text form: `DNS:a.example, URI:sip:example.test`; what needs it is quoted as a JSON string. */
export function alternativeNames(text: string): string[] {
  const names: string[] = [];
  for (const [, kind, quoted, bare = ''] of text.matchAll(/(DNS|URI):(?:("(?:[^"\\]|\\.)*")|([^,]*))/g)) {
    const value = quoted === undefined ? bare : String(JSON.parse(quoted));
    if (kind === 'DNS') names.push(value.toLowerCase());
    // Only a URI that is a domain and no user says what the peer serves.
    else if (/^sips?:[^@;?]+$/i.test(value)) names.push(value.slice(value.indexOf(':') + 1).toLowerCase());
  }
  return names;
}

/** RFC 5922 §7.2 and §7.3: a server's certificate is for a domain by its DNS name, or by a `sip:` URI that is the domain. */
export function checkSipServer(host: string, certificate: PeerCertificate): Error | undefined {
  const problem = checkServerIdentity(host, certificate);
  if (problem === undefined) return undefined;
  return alternativeNames(certificate.subjectaltname ?? '').includes(host.toLowerCase())
    ? undefined
    : problem;
}
