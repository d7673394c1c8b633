import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';

/*
 * Reading XML 1.0 with namespaces from strangers: no document type, so nothing to expand; bounded depth, attributes and
 * size; one pass, linear. What a device may send is a subset of XML that needs no more.
 */

export interface XmlElement {
  /** Namespace URI, empty for none. */
  readonly space: string;
  readonly name: string;
  /** Attributes without a prefix. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** Character data directly inside, put together. Octets. */
  readonly text: string;
}

export interface XmlProblem {
  readonly at: number;
  readonly detail: string;
}

const MAX_DEPTH = 32;
const MAX_ATTRIBUTES = 64;

/** Thrown and caught in this module only: the way out of the recursion. */
class Malformed extends Error {
  constructor(
    readonly at: number,
    readonly detail: string,
  ) {
    super(detail);
  }
}

/** Reads one document. The caller bounds its size. */
export function readXml(octets: string): Result<XmlElement, XmlProblem> {
  try {
    return ok(new Reader(octets).document());
  } catch (problem) {
    if (problem instanceof Malformed) return err({ at: problem.at, detail: problem.detail });
    throw problem;
  }
}

type Scope = ReadonlyMap<string, string>;
interface MutableElement extends XmlElement {
  children: XmlElement[];
  text: string;
}

// XML 1.0 §2.3 [5] Name, and Namespaces §3 [7] QName, in octets: all that is not ASCII may stand in a name.
const NAME =
  /[A-Za-z_\u0080-\u00ff][A-Za-z0-9_.\-\u0080-\u00ff]*(?::[A-Za-z_\u0080-\u00ff][A-Za-z0-9_.\-\u0080-\u00ff]*)?/y;
const SPACE = /[ \t\r\n]*/y;
const XML_SPACE = 'http://www.w3.org/XML/1998/namespace';

class Reader {
  #at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  document(): XmlElement {
    if (this.#text.startsWith('\u00ef\u00bb\u00bf')) this.#at = 3;
    if (this.#text.startsWith('<?xml', this.#at)) this.#declaration();
    this.#misc();
    const root = this.#element(new Map([['xml', XML_SPACE]]), 1);
    this.#misc();
    if (this.#at < this.#text.length) this.#fail('content after the root element');
    return root;
  }

  /** §2.8 [23]; any encoding but UTF-8, and ASCII inside it, is refused rather than guessed. */
  #declaration(): void {
    const end = this.#text.indexOf('?>', this.#at);
    if (end < 0) this.#fail('unfinished XML declaration');
    const encoding = /encoding\s*=\s*["']([^"']*)["']/.exec(
      this.#text.slice(this.#at, Math.min(end, this.#at + 200)),
    )?.[1];
    if (encoding !== undefined && !/^(utf-8|us-ascii)$/i.test(encoding)) this.#fail(`encoding ${encoding}`);
    this.#at = end + 2;
  }

  /** White space and comments between the constructs of a document (§2.8 [27]). */
  #misc(): void {
    for (;;) {
      this.#space();
      if (!this.#text.startsWith('<!--', this.#at)) return;
      this.#skipPast('-->', 'comment');
    }
  }

  #element(outer: Scope, depth: number): XmlElement {
    if (depth > MAX_DEPTH) this.#fail('nested too deep');
    if (this.#text[this.#at] !== '<') this.#fail('an element was expected');
    this.#at += 1;
    const qname = this.#name();
    const raw = this.#attributes();
    const scope = scopeOf(raw, outer);
    const element: MutableElement = {
      ...this.#resolve(qname, scope),
      attributes: plainAttributes(raw),
      children: [],
      text: '',
    };
    if (this.#take('/>')) return element;
    if (!this.#take('>')) this.#fail('unfinished start tag');
    this.#content(element, scope, depth);
    if (!this.#take(`</${qname}`)) this.#fail(`end tag of ${qname} expected`);
    this.#space();
    if (!this.#take('>')) this.#fail('unfinished end tag');
    return element;
  }

  #content(element: MutableElement, scope: Scope, depth: number): void {
    for (;;) {
      const next = this.#text.indexOf('<', this.#at);
      if (next < 0) this.#fail('unfinished element');
      element.text += this.#decode(this.#text.slice(this.#at, next));
      this.#at = next;
      if (this.#text.startsWith('</', next)) return;
      if (this.#text.startsWith('<!--', next)) this.#skipPast('-->', 'comment');
      else if (this.#text.startsWith('<![CDATA[', next)) {
        const start = next + '<![CDATA['.length;
        this.#skipPast(']]>', 'CDATA section');
        element.text += this.#text.slice(start, this.#at - 3);
      } else if (this.#text.startsWith('<!', next) || this.#text.startsWith('<?', next)) {
        this.#fail('document types and processing instructions are refused');
      } else element.children.push(this.#element(scope, depth + 1));
    }
  }

  #attributes(): Map<string, string> {
    const attributes = new Map<string, string>();
    for (;;) {
      const before = this.#at;
      this.#space();
      const c = this.#text[this.#at];
      if (c === '>' || c === '/' || c === undefined) return attributes;
      if (this.#at === before) this.#fail('white space expected before an attribute');
      const name = this.#name();
      this.#space();
      if (!this.#take('=')) this.#fail('= expected');
      this.#space();
      const quote = this.#text[this.#at];
      if (quote !== '"' && quote !== "'") return this.#fail('quoted value expected');
      const end = this.#text.indexOf(quote, this.#at + 1);
      if (end < 0) this.#fail('unfinished attribute');
      const value = this.#text.slice(this.#at + 1, end);
      if (value.includes('<')) this.#fail('< in an attribute');
      if (attributes.has(name)) this.#fail(`attribute ${name} twice`);
      if (attributes.size >= MAX_ATTRIBUTES) this.#fail('too many attributes');
      attributes.set(name, this.#decode(value));
      this.#at = end + 1;
    }
  }

  #resolve(qname: string, scope: Scope): { space: string; name: string } {
    const colon = qname.indexOf(':');
    const prefix = colon < 0 ? '' : qname.slice(0, colon);
    const space = scope.get(prefix);
    if (space === undefined && prefix !== '') this.#fail(`undeclared prefix ${prefix}`);
    return { space: space ?? '', name: qname.slice(colon + 1) };
  }

  /** §4.1, §4.6: character references and the five predefined entities; there are no others without a document type. */
  #decode(text: string): string {
    if (!text.includes('&')) return text;
    return text.replace(/&([^;&]{0,10}[;]?)/g, (whole, body: string) => this.#reference(whole, body));
  }

  #reference(whole: string, body: string): string {
    const known = PREDEFINED[body];
    if (known !== undefined) return known;
    const code = /^#x[0-9a-f]+;$/i.test(body)
      ? Number.parseInt(body.slice(2), 16)
      : /^#[0-9]+;$/.test(body)
        ? Number.parseInt(body.slice(1), 10)
        : Number.NaN;
    const legal = code >= 0x20 || code === 9 || code === 10 || code === 13;
    if (!legal || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) this.#fail(`reference ${whole}`);
    return Buffer.from(String.fromCodePoint(code), 'utf8').toString('latin1');
  }

  #name(): string {
    NAME.lastIndex = this.#at;
    const name = NAME.exec(this.#text)?.[0];
    if (name === undefined) return this.#fail('name expected');
    this.#at += name.length;
    return name;
  }

  #space(): void {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.#text)?.[0].length ?? 0;
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #skipPast(end: string, what: string): void {
    const found = this.#text.indexOf(end, this.#at);
    if (found < 0) this.#fail(`unfinished ${what}`);
    this.#at = found + end.length;
  }

  #fail(detail: string): never {
    throw new Malformed(this.#at, detail);
  }
}

const PREDEFINED: Readonly<Record<string, string>> = {
  'amp;': '&',
  'lt;': '<',
  'gt;': '>',
  'quot;': '"',
  'apos;': "'",
};

function scopeOf(attributes: ReadonlyMap<string, string>, outer: Scope): Scope {
  let scope: Map<string, string> | undefined;
  for (const [name, value] of attributes) {
    if (name === 'xmlns') (scope ??= new Map(outer)).set('', value);
    else if (name.startsWith('xmlns:')) (scope ??= new Map(outer)).set(name.slice('xmlns:'.length), value);
  }
  return scope ?? outer;
}

function plainAttributes(attributes: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const plain = new Map<string, string>();
  for (const [name, value] of attributes) if (!name.includes(':') && name !== 'xmlns') plain.set(name, value);
  return plain;
}
