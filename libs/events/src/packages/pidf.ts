import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import { readXml } from '../xml/read.ts';
import type { XmlElement } from '../xml/read.ts';
import { escapeXml, writeContent, writeElement } from '../xml/write.ts';
import type { XmlScope } from '../xml/write.ts';

/*
 * Published PIDF (RFC 3863) with the data model of RFC 4479 and whatever extends it, RPID (RFC 4480) above all. A document is
 * taken apart into the parts that composition works with, each written anew.
 */

/** RFC 3863 §4.1.1. */
export const PIDF_NAMESPACE = 'urn:ietf:params:xml:ns:pidf';
/** RFC 4479 §5.1. */
const DATA_MODEL = 'urn:ietf:params:xml:ns:pidf:data-model';

/** What every document of ours declares: data model, RPID, CIPID (RFC 4482), capabilities (RFC 5196), timed status (RFC 4481). */
export const PIDF_SCOPE: XmlScope = {
  space: PIDF_NAMESPACE,
  prefixes: new Map([
    [DATA_MODEL, 'dm'],
    ['urn:ietf:params:xml:ns:pidf:rpid', 'rpid'],
    ['urn:ietf:params:xml:ns:pidf:cipid', 'cipid'],
    ['urn:ietf:params:xml:ns:pidf:caps', 'caps'],
    ['urn:ietf:params:xml:ns:pidf:timed-status', 'ts'],
  ]),
};

/** §4.1.5: 0 to 1 with at most three digits. */
const PRIORITY = /^(0(\.[0-9]{0,3})?|1(\.0{0,3})?)$/;
/** §4.1.7: RFC 3339. */
const TIMESTAMP =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$/;
/** Most parts of one publication; a device has a handful. */
const MAX_PARTS = 64;

/** A part of a published document. Every text is octets without line breaks and tabs. */
export type PidfPart =
  /** A service (RFC 4479 §3.3). */
  | {
      readonly kind: 'tuple';
      readonly id: string;
      /** The contact URI, empty for none. */
      readonly contact: string;
      /** `dm:deviceID`, empty for none. */
      readonly device: string;
      readonly xml: string;
    }
  /** One element of the person (RFC 4479 §3.2), so that persons of several publications can be put together. */
  | {
      readonly kind: 'person';
      /** Qualified name of the element; `dm:note` for a note. */
      readonly name: string;
      /** When the person was last changed, RFC 3339, empty when the document does not say. */
      readonly stamp: string;
      readonly xml: string;
    }
  /** A device (RFC 4479 §3.4). */
  | { readonly kind: 'device'; readonly id: string; readonly device: string; readonly xml: string }
  /** A note on the presentity (RFC 3863 §4.1.6). */
  | { readonly kind: 'note'; readonly xml: string };

/** Reads a published document. What extends PIDF and is not known here is kept: it is for the watcher to ignore it (§4.2.3). */
export function readPidf(body: string): Result<readonly PidfPart[], string> {
  const document = readXml(body);
  if (!document.ok) return err(`${document.error.detail} at ${document.error.at}`);
  const root = document.value;
  if (!isPidf(root, 'presence')) return err('the root is no presence element of PIDF');
  const parts: PidfPart[] = [];
  const ids = new Set<string>();
  for (const child of root.children) {
    if (isPidf(child, 'tuple')) {
      const tuple = readTuple(child, ids);
      if (!tuple.ok) return tuple;
      parts.push(tuple.value);
    } else if (isPidf(child, 'note')) parts.push({ kind: 'note', xml: writeElement(child, PIDF_SCOPE) });
    else if (isModel(child, 'person')) parts.push(...readPerson(child));
    else if (isModel(child, 'device')) parts.push(readDevice(child));
    if (parts.length > MAX_PARTS) return err('too many tuples, devices and elements of the person');
  }
  return ok(parts);
}

function readTuple(tuple: XmlElement, ids: Set<string>): Result<PidfPart, string> {
  const id = tuple.attributes.get('id');
  if (id === undefined || id === '') return err('tuple without id');
  if (ids.has(id)) return err('two tuples of one id');
  ids.add(id);
  const xml = writeTuple(tuple);
  if (xml === undefined) return err('tuple without a basic status');
  const contact = textOf(tuple.children.find((child) => isPidf(child, 'contact')));
  return ok({ kind: 'tuple', id: plain(id), contact, device: deviceOf(tuple), xml });
}

/** The children of a tuple in the order of §4.4's schema. */
function writeTuple(tuple: XmlElement): string | undefined {
  const status = tuple.children.find((child) => isPidf(child, 'status'));
  if (status === undefined) return undefined;
  const basic = textOf(status.children.find((child) => isPidf(child, 'basic')));
  if (basic !== '' && basic !== 'open' && basic !== 'closed') return undefined;
  // §4.1.3 allows a status of extensions alone; such a tuple says nothing about being reachable.
  let xml = `<status><basic>${basic === '' ? 'closed' : basic}</basic>${writeExtensions(status)}</status>`;
  xml += writeExtensions(tuple);
  const contact = tuple.children.find((child) => isPidf(child, 'contact'));
  if (contact !== undefined) xml += writeContact(contact);
  for (const child of tuple.children) if (isPidf(child, 'note')) xml += writeElement(child, PIDF_SCOPE);
  const stamp = textOf(tuple.children.find((child) => isPidf(child, 'timestamp')));
  return TIMESTAMP.test(stamp) ? `${xml}<timestamp>${stamp}</timestamp>` : xml;
}

/** §4.2: children from other namespaces. */
function writeExtensions(element: XmlElement): string {
  let xml = '';
  for (const child of element.children)
    if (child.space !== PIDF_NAMESPACE) xml += writeElement(child, PIDF_SCOPE);
  return xml;
}

function writeContact(contact: XmlElement): string {
  const priority = contact.attributes.get('priority');
  // §4.1.5: a priority out of range is ignored.
  const attribute = priority !== undefined && PRIORITY.test(priority) ? ` priority="${priority}"` : '';
  return `<contact${attribute}>${escapeXml(contact.text.trim())}</contact>`;
}

function readPerson(person: XmlElement): readonly PidfPart[] {
  const stamped = textOf(person.children.find((child) => isModel(child, 'timestamp')));
  const stamp = TIMESTAMP.test(stamped) ? stamped : '';
  return person.children
    .filter((child) => !isModel(child, 'timestamp'))
    .map((child) => {
      const prefix = PIDF_SCOPE.prefixes.get(child.space) ?? child.space;
      return {
        kind: 'person',
        name: plain(`${prefix}:${child.name}`),
        stamp,
        xml: writeElement(child, PIDF_SCOPE),
      };
    });
}

function readDevice(device: XmlElement): PidfPart {
  const xml = writeContent(device, PIDF_SCOPE);
  return { kind: 'device', id: plain(device.attributes.get('id') ?? ''), device: deviceOf(device), xml };
}

const deviceOf = (element: XmlElement): string =>
  textOf(element.children.find((child) => isModel(child, 'deviceID')));

const isPidf = (element: XmlElement, name: string): boolean =>
  element.name === name && element.space === PIDF_NAMESPACE;
const isModel = (element: XmlElement, name: string): boolean =>
  element.name === name && element.space === DATA_MODEL;

const textOf = (element: XmlElement | undefined): string => plain(element?.text.trim() ?? '');
/** Without what separates the columns of a packed part. */
const plain = (text: string): string => text.replace(/[\t\r\n]/g, ' ');

const LETTERS = { tuple: 't', person: 'p', device: 'd', note: 'n' } as const;

/** Parts as a publication stores them: a line each, a letter and columns with tabs between them. */
export function packParts(parts: readonly PidfPart[]): string {
  return parts.map((part) => [LETTERS[part.kind], ...columnsOf(part), part.xml].join('\t')).join('\n');
}

function columnsOf(part: PidfPart): readonly string[] {
  switch (part.kind) {
    case 'tuple':
      return [part.id, part.contact, part.device];
    case 'person':
      return [part.name, part.stamp];
    case 'device':
      return [part.id, part.device];
    case 'note':
      return [];
  }
}

/** The parts of a stored publication; lines that this code did not write are left out. */
export function unpackParts(packed: string): PidfPart[] {
  return packed.split('\n').flatMap((line): PidfPart[] => {
    const [letter, a = '', b = '', c = '', d = ''] = line.split('\t');
    if (letter === 't') return [{ kind: 'tuple', id: a, contact: b, device: c, xml: d }];
    if (letter === 'p') return [{ kind: 'person', name: a, stamp: b, xml: c }];
    if (letter === 'd') return [{ kind: 'device', id: a, device: b, xml: c }];
    return letter === 'n' ? [{ kind: 'note', xml: a }] : [];
  });
}
