import { aorDomain, aorUser } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import { unescapeUser } from '@rollcall/sip';
import { fingerprintOf } from '../fingerprint.ts';
import type { EventPackage, StateView } from './package.ts';

/** RFC 6080 §6.5: a reference to the profile. */
const EXTERNAL_BODY = 'message/external-body';
/** What snom and AudioCodes ask for: the URL alone. */
const URL_ALONE = 'application/url';
/** RFC 6080 §6.4: a day. */
const DEFAULT_EXPIRES = 86_400;

/**
 * RFC 6080: where a device finds its profile. `template` is the URL of the profile with `{user}` and `{domain}` for the parts of
 * the Request-URI, percent-encoded, and `{mac}` for the twelve digits of a user part such as `MAC%3a000413AABBCC`.
 */
export const uaProfile = (template: string): EventPackage => ({
  name: 'ua-profile',
  rfc: 'RFC 6080',
  types: [EXTERNAL_BODY, URL_ALONE],
  defaultExpires: DEFAULT_EXPIRES,
  // A URL that hardly ever changes: the day that a device means when it says nothing is granted, whatever holds for others.
  maxExpires: DEFAULT_EXPIRES,
  sources: [],
  unmovedBy: new Set(),
  audience: 'owner',
  view: ({ resource }) => view(profileUrl(template, resource)),
});

function view(url: string): StateView {
  const fingerprint = fingerprintOf(url);
  return {
    fingerprint,
    write: ({ type }) =>
      type === URL_ALONE
        ? url
        : `Content-Type: application/octet-stream\r\nContent-ID: <${fingerprint}@profile>\r\n\r\n`,
    contentType: ({ type }) =>
      type === URL_ALONE ? type : `${EXTERNAL_BODY};access-type="URL";URL="${url}"`,
  };
}

const MAC = /(?:^|[^0-9a-f])((?:[0-9a-f]{2}[:-]?){5}[0-9a-f]{2})$/i;

function profileUrl(template: string, resource: Aor): string {
  const user = unescapeUser(aorUser(resource));
  const mac = (MAC.exec(user)?.[1] ?? user).replace(/[:-]/g, '').toLowerCase();
  const values: Readonly<Record<string, string>> = { user, mac, domain: aorDomain(resource) ?? '' };
  return template.replace(/\{(user|mac|domain)\}/g, (_, name: string) => encoded(values[name] ?? ''));
}

/** RFC 3986 §2.3: all but unreserved characters are escaped, octet by octet. */
const encoded = (octets: string): string =>
  octets.replace(
    /[^A-Za-z0-9._~-]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
