import { SaxesParser } from 'saxes';
import type { SaxesTagNS } from 'saxes';
import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';

/*
 * Reading XML 1.0 with namespaces from strangers. saxes reads in one pass, linear in the input, opens nothing and expands
 * nothing but the five predefined entities and character references. Here stand the bounds: no document type, so that nobody
 * can define an entity; no processing instructions; bounded depth and attributes; UTF-8, and the ISO-8859-1 that BroadSoft's phones declare.
 */

/** An attribute with a prefix. */
export interface ForeignAttribute {
  readonly space: string;
  readonly name: string;
  readonly value: string;
}

/** All names, values and texts are octets. */
export interface XmlElement {
  /** Namespace URI, empty for none. */
  readonly space: string;
  readonly name: string;
  /** Attributes without a prefix; declarations of namespaces are not among them. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly foreign: readonly ForeignAttribute[];
  readonly children: readonly XmlElement[];
  /** Character data directly inside, put together. */
  readonly text: string;
  /** Children and character data in their order. */
  readonly content: readonly (XmlElement | string)[];
}

export interface XmlProblem {
  /** Characters read before it. */
  readonly at: number;
  readonly detail: string;
}

const MAX_DEPTH = 32;
const MAX_ATTRIBUTES = 64;
/** Namespaces in XML §3: the namespace of declarations. */
const XMLNS = 'http://www.w3.org/2000/xmlns/';
const BEYOND_ASCII = /[\u0080-\u00ff]/;

/** Reads one document. The caller bounds its size. */
export function readXml(octets: string): Result<XmlElement, XmlProblem> {
  const text = decoded(octets);
  if (text === undefined) return err({ at: 0, detail: 'not in UTF-8' });
  const reader = spare ?? new Reader();
  spare = undefined;
  try {
    const root = reader.read(text);
    spare = reader;
    return ok(root);
  } catch (problem) {
    // saxes throws plain errors for what is not well-formed, and so do the bounds.
    if (problem instanceof Error) return err({ at: reader.position, detail: problem.message });
    throw problem;
  }
}

/** A reader that has read a document to its end can read another; one that failed is not used again. */
let spare: Reader | undefined;

/** XML 1.0 §4.3.3: what says that it is in ISO-8859-1 is; each octet is the character of its number. All else is UTF-8. */
const LATIN_1 = /^<\?xml[^>]{1,100}encoding\s*=\s*["']iso-8859-1["']/i;

function decoded(octets: string): string | undefined {
  if (!BEYOND_ASCII.test(octets) || LATIN_1.test(octets)) return octets;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(octets, 'latin1'));
  } catch {
    return undefined;
  }
}

const ASCII = /^[\u0000-\u007f]*$/;
const encoded = (text: string): string =>
  ASCII.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');

/** An element that is still being read. */
interface OpenElement extends XmlElement {
  readonly attributes: Map<string, string>;
  readonly foreign: ForeignAttribute[];
  readonly children: XmlElement[];
  readonly content: (XmlElement | string)[];
  text: string;
}

class Reader {
  readonly #parser = new SaxesParser({ xmlns: true });
  #open: OpenElement[] = [];
  #root: XmlElement | undefined;
  #attributes = 0;

  constructor() {
    const parser = this.#parser;
    const refuse = (what: string) => (): never => {
      throw new Error(`${what} are refused`);
    };
    parser.on('doctype', refuse('document types'));
    parser.on('processinginstruction', refuse('processing instructions'));
    parser.on('xmldecl', ({ encoding }) => {
      if (encoding !== undefined && !/^(utf-8|us-ascii|iso-8859-1)$/i.test(encoding))
        throw new Error('an encoding that is not read');
    });
    parser.on('opentagstart', () => {
      if (this.#open.length >= MAX_DEPTH) throw new Error('nested too deep');
      this.#attributes = 0;
    });
    parser.on('attribute', () => {
      this.#attributes += 1;
      if (this.#attributes > MAX_ATTRIBUTES) throw new Error('too many attributes');
    });
    parser.on('opentag', (tag) => {
      this.#begin(tag);
    });
    parser.on('text', (data) => {
      this.#text(data);
    });
    parser.on('cdata', (data) => {
      this.#text(data);
    });
    parser.on('closetag', () => {
      this.#root = this.#open.pop();
    });
  }

  get position(): number {
    return this.#parser.position;
  }

  read(text: string): XmlElement {
    this.#open = [];
    this.#root = undefined;
    this.#parser.write(text).close();
    const root = this.#root as XmlElement | undefined;
    this.#root = undefined;
    if (root === undefined) throw new Error('no root element');
    return root;
  }

  #begin(tag: SaxesTagNS): void {
    const element: OpenElement = {
      space: encoded(tag.uri),
      name: encoded(tag.local),
      attributes: new Map(),
      foreign: [],
      children: [],
      content: [],
      text: '',
    };
    for (const { prefix, local, uri, value } of Object.values(tag.attributes)) {
      if (uri === XMLNS) continue;
      if (prefix === '') element.attributes.set(encoded(local), encoded(value));
      else element.foreign.push({ space: encoded(uri), name: encoded(local), value: encoded(value) });
    }
    const parent = this.#open.at(-1);
    parent?.children.push(element);
    parent?.content.push(element);
    this.#open.push(element);
  }

  #text(data: string): void {
    const element = this.#open.at(-1);
    if (element === undefined || data === '') return;
    const octets = encoded(data);
    element.text += octets;
    element.content.push(octets);
  }
}
