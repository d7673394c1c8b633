/*
 * Writing XML 1.0 from octet strings. What goes in comes from phones: characters that XML forbids (§2.2) and octets that
 * are no UTF-8 become U+FFFD, so that a document is well-formed whatever was registered.
 */

const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;
const SPECIAL = /[&<>"'\t\n\r]/g;
const PLAIN = /^[\u0020\u0021\u0023-\u0025\u0028-\u003b\u003d\u003f-\u007e]*$/;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/** Octets as XML character data or attribute value (§2.4, §2.10), again octets in UTF-8. */
export function escapeXml(octets: string): string {
  if (PLAIN.test(octets)) return octets;
  const text = Buffer.from(octets, 'latin1').toString('utf8');
  const escaped = text.replace(FORBIDDEN, '\ufffd').replace(SPECIAL, (c) => ENTITIES[c] ?? c);
  return Buffer.from(escaped, 'utf8').toString('latin1');
}

export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\r\n';
