import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import { readXml } from '../xml/read.ts';
import type { XmlElement } from '../xml/read.ts';
import { escapeXml } from '../xml/write.ts';

/** RFC 3863 §4.1.1. */
const PIDF_NAMESPACE = 'urn:ietf:params:xml:ns:pidf';
/** §4.1.5: 0 to 1 with at most three digits. */
const PRIORITY = /^(0(\.[0-9]{0,3})?|1(\.0{0,3})?)$/;
/** §4.1.7: RFC 3339. */
const TIMESTAMP =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$/;
/** Most tuples of one publication; a device has one or two. */
const MAX_TUPLES = 32;

export interface PidfTuple {
  readonly id: string;
  /** The children of the tuple as XML in the PIDF namespace. */
  readonly content: string;
}

/**
 * Reads a published PIDF document and writes its tuples anew: basic status, contact, notes and timestamp (RFC 3863 §4.1.2).
 * Extension elements are left out, as §4.2.4 lets a reader do with what it does not know.
 */
export function readPidf(body: string): Result<readonly PidfTuple[], string> {
  const document = readXml(body);
  if (!document.ok) return err(`${document.error.detail} at octet ${document.error.at}`);
  const root = document.value;
  if (root.space !== PIDF_NAMESPACE || root.name !== 'presence')
    return err('the root is no presence element of PIDF');
  const tuples: PidfTuple[] = [];
  const ids = new Set<string>();
  for (const child of root.children) {
    if (!isPidf(child, 'tuple')) continue;
    const id = child.attributes.get('id');
    if (id === undefined || id === '') return err('tuple without id');
    if (ids.has(id)) return err('two tuples of one id');
    if (tuples.length >= MAX_TUPLES) return err('too many tuples');
    ids.add(id);
    const content = writeTuple(child);
    if (content === undefined) return err('tuple without a basic status');
    tuples.push({ id, content });
  }
  return ok(tuples);
}

function writeTuple(tuple: XmlElement): string | undefined {
  const status = tuple.children.find((child) => isPidf(child, 'status'));
  if (status === undefined) return undefined;
  const basic = status.children.find((child) => isPidf(child, 'basic'))?.text.trim();
  if (basic !== undefined && basic !== 'open' && basic !== 'closed') return undefined;
  // §4.1.3 allows a status of extensions alone; such a tuple says nothing about being reachable.
  let content = `<status><basic>${basic ?? 'closed'}</basic></status>`;
  for (const child of tuple.children) {
    if (isPidf(child, 'contact')) content += writeContact(child);
  }
  for (const child of tuple.children) {
    if (isPidf(child, 'note')) content += `<note>${escapeXml(child.text)}</note>`;
  }
  const timestamp = tuple.children.find((child) => isPidf(child, 'timestamp'))?.text.trim();
  if (timestamp !== undefined && TIMESTAMP.test(timestamp)) content += `<timestamp>${timestamp}</timestamp>`;
  return content;
}

function writeContact(contact: XmlElement): string {
  const priority = contact.attributes.get('priority');
  // §4.1.5: a priority out of range is ignored.
  const attribute = priority !== undefined && PRIORITY.test(priority) ? ` priority="${priority}"` : '';
  return `<contact${attribute}>${escapeXml(contact.text.trim())}</contact>`;
}

const isPidf = (element: XmlElement, name: string): boolean =>
  element.name === name && element.space === PIDF_NAMESPACE;

/** Tuples as a publication stores them: a line each, its id and its content. No content holds a line break. */
export function packTuples(tuples: readonly PidfTuple[]): string {
  return tuples.map(({ id, content }) => `${id.replace(/[\t\r\n ]/g, '_')}\t${content}`).join('\n');
}

export function unpackTuples(packed: string): PidfTuple[] {
  if (packed === '') return [];
  return packed.split('\n').map((line) => {
    const tab = line.indexOf('\t');
    return { id: line.slice(0, tab), content: line.slice(tab + 1) };
  });
}
