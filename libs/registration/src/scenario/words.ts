/** A scenario file that does not follow its grammar. */
export class ScenarioSyntax extends Error {
  override readonly name = 'ScenarioSyntax';
  constructor(
    readonly line: number,
    problem: string,
  ) {
    super(`line ${line.toString()}: ${problem}`);
  }
}

/** `...` between back quotes, or anything up to a blank that is not inside <> or "". */
const WORD = /`([^`]*)`|((?:<[^>]*>|"(?:[^"\\]|\\.)*"|[^\s<"])+)/g;

/** The words of one line; undefined when a quote or bracket in it does not end. */
export function words(text: string): string[] | undefined {
  const rest = text.replaceAll(WORD, '');
  if (rest.trim() !== '') return undefined;
  return Array.from(text.matchAll(WORD), (match) => match[1] ?? match[2] ?? '');
}

/** Reads the words of one line from left to right. */
export class WordReader {
  readonly #words: readonly string[];
  #at = 0;

  constructor(
    text: string,
    readonly line: number,
  ) {
    const read = words(text);
    if (read === undefined) throw new ScenarioSyntax(line, 'a quote or bracket that does not end');
    this.#words = read;
  }

  get done(): boolean {
    return this.#at >= this.#words.length;
  }

  next(what: string): string {
    const word = this.#words[this.#at];
    if (word === undefined) throw new ScenarioSyntax(this.line, `${what} is missing`);
    this.#at += 1;
    return word;
  }

  expect(literal: string): void {
    const word = this.next(literal);
    if (word !== literal)
      throw new ScenarioSyntax(this.line, `"${literal}" is wanted where "${word}" stands`);
  }

  /** A whole number; a leading + is allowed. */
  number(what: string): number {
    const word = this.next(what);
    if (!/^\+?[0-9]+$/.test(word)) throw new ScenarioSyntax(this.line, `${what} is a number, not "${word}"`);
    return Number(word);
  }
}
