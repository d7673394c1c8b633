import type { ForeignAttribute, XmlElement } from './read.ts';

/*
 * Nearly all documents of phones are plain: ASCII, no references, comments or sections, no name that XML keeps for itself. Those are
 * read here at a fraction of what the full reader takes. Anything else, whatever is not well-formed included, is left to that one.
 */

const DECLARATION = /^<\?xml version="1\.0"(?: encoding="(?:UTF-8|utf-8)")?[ \t\r\n]*\?>/;
const BEYOND_PLAIN = /[^\t\n\r -~]|&|<[!?]|\]\]>/;
const BEYOND_VALUE = /[<\t\r\n]/;
const LINE_END = /\r\n?/g;
/** Namespaces in XML §3, §4: a prefix and a local part. */
const NAME = /(?:([A-Za-z_][A-Za-z0-9_.-]*):)?([A-Za-z_][A-Za-z0-9_.-]*)/y;
/** The full reader has its own bounds, and says which was passed. */
const MAX_DEPTH = 32;
const MAX_ATTRIBUTES = 32;
/** What XML keeps for itself: prefixes, and namespaces that are bound for good. */
const RESERVED_PREFIX = 'xml';
const RESERVED_SPACE = 'http://www.w3.org/';

/** The root of a plain document; undefined for one that is not plain, or not well-formed. */
export function readPlain(text: string): XmlElement | undefined {
  const declared = DECLARATION.exec(text)?.[0].length ?? 0;
  const plain = text.slice(declared);
  return BEYOND_PLAIN.test(plain) ? undefined : new PlainReader(plain).read();
}

/** A declaration of a namespace, and those around it. */
interface Scope {
  readonly prefix: string;
  readonly space: string;
  readonly outer: Scope | undefined;
}

interface Name {
  readonly prefix: string;
  readonly local: string;
}

interface Attribute extends Name {
  readonly value: string;
}

interface OpenElement extends XmlElement {
  readonly attributes: Map<string, string>;
  readonly foreign: ForeignAttribute[];
  readonly children: XmlElement[];
  readonly content: (XmlElement | string)[];
  text: string;
}

class PlainReader {
  #at = 0;

  constructor(private readonly text: string) {}

  read(): XmlElement | undefined {
    this.#white();
    const root = this.#element(undefined, 1);
    this.#white();
    return this.#at === this.text.length ? root : undefined;
  }

  #element(around: Scope | undefined, depth: number): XmlElement | undefined {
    if (depth > MAX_DEPTH || !this.#take('<')) return undefined;
    const from = this.#at;
    const name = this.#name();
    if (name === undefined) return undefined;
    const written = this.text.slice(from, this.#at);
    const attributes = this.#attributes();
    const scope = attributes === undefined ? NOT_PLAIN : scopeOf(attributes, around);
    if (attributes === undefined || scope === NOT_PLAIN) return undefined;
    const element = elementOf(name, attributes, scope);
    if (element === undefined || this.#take('/>')) return element;
    return this.#take('>') && this.#content(element, scope, depth) && this.#end(written)
      ? element
      : undefined;
  }

  /** Children and character data, up to the end tag. */
  #content(element: OpenElement, scope: Scope | undefined, depth: number): boolean {
    const { text } = this;
    for (;;) {
      const next = text.indexOf('<', this.#at);
      if (next < 0) return false;
      if (next > this.#at) {
        const data = text.slice(this.#at, next).replace(LINE_END, '\n');
        element.text += data;
        element.content.push(data);
        this.#at = next;
      }
      if (text.startsWith('</', next)) return true;
      const child = this.#element(scope, depth + 1);
      if (child === undefined) return false;
      element.children.push(child);
      element.content.push(child);
    }
  }

  #end(written: string): boolean {
    if (!this.#take('</') || !this.#take(written)) return false;
    this.#white();
    return this.#take('>');
  }

  #attributes(): readonly Attribute[] | undefined {
    const found: Attribute[] = [];
    for (;;) {
      const parted = this.#white();
      const next = this.text.charAt(this.#at);
      if (next === '>' || next === '/') return found;
      const name = parted ? this.#name() : undefined;
      const value = name === undefined ? undefined : this.#value();
      if (name === undefined || value === undefined || found.length === MAX_ATTRIBUTES) return undefined;
      found.push({ prefix: name.prefix, local: name.local, value });
    }
  }

  #value(): string | undefined {
    this.#white();
    if (!this.#take('=')) return undefined;
    this.#white();
    const quote = this.text.charAt(this.#at);
    if (quote !== '"' && quote !== "'") return undefined;
    const end = this.text.indexOf(quote, this.#at + 1);
    if (end < 0) return undefined;
    const value = this.text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return BEYOND_VALUE.test(value) ? undefined : value;
  }

  #name(): Name | undefined {
    NAME.lastIndex = this.#at;
    const found = NAME.exec(this.text);
    if (found === null) return undefined;
    this.#at = NAME.lastIndex;
    return { prefix: found[1] ?? '', local: found[2] ?? '' };
  }

  /** Goes over white space; true when there was some. */
  #white(): boolean {
    const from = this.#at;
    while (isWhite(this.text.charCodeAt(this.#at))) this.#at += 1;
    return this.#at > from;
  }

  #take(expected: string): boolean {
    if (!this.text.startsWith(expected, this.#at)) return false;
    this.#at += expected.length;
    return true;
  }
}

const isWhite = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;

const NOT_PLAIN = Symbol('not plain');
const XMLNS = 'xmlns';

const isDeclaration = ({ prefix, local }: Name): boolean =>
  prefix === XMLNS || (prefix === '' && local === XMLNS);

/** The scope that the declarations of a tag make. */
function scopeOf(
  attributes: readonly Attribute[],
  around: Scope | undefined,
): Scope | undefined | typeof NOT_PLAIN {
  let scope = around;
  for (const attribute of attributes) {
    if (!isDeclaration(attribute)) continue;
    const prefix = attribute.prefix === '' ? '' : attribute.local;
    const space = attribute.value;
    if (prefix.startsWith(RESERVED_PREFIX) || space.startsWith(RESERVED_SPACE)) return NOT_PLAIN;
    if (prefix !== '' && space === '') return NOT_PLAIN;
    for (let own = scope; own !== undefined && own !== around; own = own.outer)
      if (own.prefix === prefix) return NOT_PLAIN;
    scope = { prefix, space, outer: scope };
  }
  return scope;
}

/** The namespace of a prefix; undefined for one that nobody declared. */
function spaceOf(prefix: string, scope: Scope | undefined): string | undefined {
  for (let known = scope; known !== undefined; known = known.outer)
    if (known.prefix === prefix) return known.space;
  return prefix === '' ? '' : undefined;
}

/** Undefined where a prefix is not declared or an attribute stands twice. */
function elementOf(
  name: Name,
  attributes: readonly Attribute[],
  scope: Scope | undefined,
): OpenElement | undefined {
  const space = spaceOf(name.prefix, scope);
  if (space === undefined) return undefined;
  const own = new Map<string, string>();
  const foreign: ForeignAttribute[] = [];
  for (const attribute of attributes) {
    if (isDeclaration(attribute)) continue;
    const { prefix, local, value } = attribute;
    if (prefix === '') {
      if (own.has(local)) return undefined;
      own.set(local, value);
      continue;
    }
    const theirs = spaceOf(prefix, scope);
    if (theirs === undefined || foreign.some((each) => each.name === local && each.space === theirs))
      return undefined;
    foreign.push({ space: theirs, name: local, value });
  }
  return { space, name: name.local, attributes: own, foreign, children: [], text: '', content: [] };
}
