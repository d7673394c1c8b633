import { isIP } from 'node:net';
import { err, ok } from '@rollcall/kernel';
import type { Field, Listener } from './field.ts';
import { list } from './field.ts';
import { listener } from './endpoint.ts';

/** The word for no listener of a kind that has one by default. */
const OFF = 'off';

/** `host:port[/advertised[:port]][/IPv4 advertised[:port]]`, separated by commas; `off` for none. */
export function listeners(): Field<readonly Listener[]> {
  const some = list(listener());
  return {
    type: `${some.type}, or ${OFF}`,
    secret: false,
    optional: false,
    parse: (text) => (text === OFF ? ok([]) : some.parse(text)),
    print: (value) => (value.length === 0 ? OFF : some.print(value)),
  };
}

/** PEM files of a certificate with its chain, and of its private key. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** What a Kubernetes Secret of type `kubernetes.io/tls` is called when it is mounted as a folder. */
const SECRET_CERTIFICATE = 'tls.crt';
const SECRET_KEY = 'tls.key';

/** `certificate.pem:key.pem`, or a folder that holds `tls.crt` and `tls.key`. */
export function certificate(): Field<CertificateFiles> {
  const type = 'certificate.pem:key.pem or a folder with tls.crt and tls.key';
  return {
    type,
    secret: false,
    optional: false,
    parse(text) {
      const parts = text.split(':');
      const [first = '', second] = parts;
      if (first === '' || second === '' || parts.length > 2) return err(`is not ${type}`);
      if (second !== undefined) return ok({ certificate: first, key: second });
      const folder = first.replace(/\/+$/, '');
      return ok({ certificate: `${folder}/${SECRET_CERTIFICATE}`, key: `${folder}/${SECRET_KEY}` });
    },
    print: (value) => `${value.certificate}:${value.key}`,
  };
}

/** An address, or a network in the form of RFC 4632 §3.1: `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`. */
export function network(): Field<string> {
  const type = 'address or address/prefix length';
  return {
    type,
    secret: false,
    optional: false,
    parse(text) {
      const [address = '', prefix, ...rest] = text.split('/');
      const bits = isIP(address) === 4 ? 32 : isIP(address) === 6 ? 128 : -1;
      const whole = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits);
      return bits > 0 && rest.length === 0 && whole ? ok(text) : err(`is not an ${type}`);
    },
    print: (value) => value,
  };
}
