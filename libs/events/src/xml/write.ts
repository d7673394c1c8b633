import type { XmlElement } from './read.ts';

/*
 * Writing XML 1.0 from octet strings. What goes in comes from phones: characters that XML forbids (§2.2) and octets that
 * are no UTF-8 become U+FFFD, so that a document is well-formed whatever was registered.
 */

// §2.2 [2]: Char; U+FFFE and U+FFFF are none, and DEL is discouraged.
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffe\uffff]/g;
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

const XML_SPACE = 'http://www.w3.org/XML/1998/namespace';
const WHITE = /^[ \t\r\n]*$/;

/** Where an element is written: what is declared around it. */
export interface XmlScope {
  /** The default namespace. */
  readonly space: string;
  /** Prefixes by namespace. */
  readonly prefixes: ReadonlyMap<string, string>;
}

/**
 * An element that was read, written anew: nothing of how it was written before is kept, so that nothing in it can reach
 * outside. White space between elements is left out; the result holds no line break and no tab.
 */
export function writeElement(element: XmlElement, scope: XmlScope): string {
  const prefix = scope.prefixes.get(element.space);
  let tag = element.name;
  let declared = '';
  let inner = scope;
  if (prefix !== undefined) tag = `${prefix}:${element.name}`;
  else if (element.space !== scope.space) {
    declared = ` xmlns="${escapeXml(element.space)}"`;
    inner = { ...scope, space: element.space };
  }
  const content = writeContent(element, inner);
  const attributes = declared + writeAttributes(element, scope);
  return content === '' ? `<${tag}${attributes}/>` : `<${tag}${attributes}>${content}</${tag}>`;
}

/** What is inside an element, written anew. */
export function writeContent(element: XmlElement, scope: XmlScope): string {
  let content = '';
  for (const part of element.content) {
    if (typeof part !== 'string') content += writeElement(part, scope);
    else if (element.children.length === 0 || !WHITE.test(part)) content += escapeXml(part);
  }
  return content;
}

function writeAttributes({ attributes, foreign }: XmlElement, { prefixes }: XmlScope): string {
  let written = '';
  for (const [name, value] of attributes) written += ` ${name}="${escapeXml(value)}"`;
  foreign.forEach(({ space, name, value }, n) => {
    const known = space === XML_SPACE ? 'xml' : prefixes.get(space);
    const prefix = known ?? `a${n}`;
    if (known === undefined) written += ` xmlns:${prefix}="${escapeXml(space)}"`;
    written += ` ${prefix}:${name}="${escapeXml(value)}"`;
  });
  return written;
}
