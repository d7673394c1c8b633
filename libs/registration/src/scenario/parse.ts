import { readAnswer, readBinding, readRegisterFields } from './fields.ts';
import type { Names } from './fields.ts';
import { readPolicyWord } from './policy-words.ts';
import type { Scenario, ScenarioBinding, ScenarioStep } from './scenario.ts';
import { ScenarioSyntax, WordReader } from './words.ts';

const ID = /\b[A-Z]{1,4}[0-9]{2,3}\b/g;
const USUAL_DOMAIN = 'example.test';

/** Reads a scenario file; the grammar stands in `scenarios/README.md`. Throws `ScenarioSyntax`. */
export function parseScenarios(text: string): Scenario[] {
  const scenarios: Scenario[] = [];
  let block: { line: number; text: string }[] = [];
  const flush = (): void => {
    if (block.some(({ text: line }) => !line.startsWith(';'))) scenarios.push(parseBlock(block));
    block = [];
  };
  text.split('\n').forEach((raw, index) => {
    const line = raw.trim();
    if (line === '') flush();
    else block.push({ line: index + 1, text: line });
  });
  flush();
  return scenarios;
}

type Lines = readonly { readonly line: number; readonly text: string }[];

function parseBlock(lines: Lines): Scenario {
  const heading = lines.filter(({ text }) => text.startsWith(';')).map(({ text }) => text.slice(1).trim());
  const title = heading[0];
  if (title === undefined)
    throw new ScenarioSyntax(lines[0]?.line ?? 0, 'a scenario begins with a comment that names it');
  const reader = new BlockReader();
  for (const { line, text } of lines) if (!text.startsWith(';')) reader.read(text, line);
  return {
    title: title.replaceAll(ID, '').trim(),
    ids: title.match(ID) ?? [],
    world: reader.world,
    steps: reader.steps,
  };
}

class BlockReader {
  readonly steps: ScenarioStep[] = [];
  readonly #domains = [USUAL_DOMAIN];
  readonly #users = new Set<string>();
  readonly #grants: { identity: string; aor: string }[] = [];
  readonly #aliases: { alias: string; aor: string }[] = [];
  #policy: Scenario['world']['policy'] = {};
  #at = 0;
  #cseq = 0;

  get world(): Scenario['world'] {
    const { steps } = this;
    for (const step of steps) {
      if (step.kind === 'given') this.#users.add(step.aor);
      if (step.kind === 'register' && step.fields.identity !== undefined)
        this.#users.add(step.fields.identity);
    }
    return {
      domains: this.#domains,
      users: [...this.#users],
      grants: this.#grants,
      aliases: this.#aliases,
      policy: this.#policy,
    };
  }

  get #names(): Names {
    return { domain: this.#domains[0] ?? USUAL_DOMAIN };
  }

  read(text: string, line: number): void {
    const step = /^(?:\+([0-9]+)\s*)?([<>])(.*)$/.exec(text);
    if (step !== null) {
      if (step[1] !== undefined) this.#at = Number(step[1]);
      this.#message(step[2] ?? '', new WordReader(step[3] ?? '', line));
      return;
    }
    const timed = /^\+([0-9]+)\s+(then.*)$/.exec(text);
    if (timed !== null) this.#at = Number(timed[1]);
    this.#statement(new WordReader(timed?.[2] ?? text, line));
  }

  #message(arrow: string, words: WordReader): void {
    const { line } = words;
    if (arrow === '<') {
      this.steps.push({ kind: 'answer', line, expected: readAnswer(words) });
      return;
    }
    words.expect('REGISTER');
    const fields = readRegisterFields(words, this.#names, this.#cseq + 1);
    this.#cseq = fields.cseq;
    this.steps.push({ kind: 'register', line, at: this.#at, fields });
  }

  #statement(words: WordReader): void {
    const word = words.next('a statement');
    switch (word) {
      case 'domain':
        this.#domains.push(words.next('a domain'));
        return;
      case 'user':
        while (!words.done) this.#users.add(this.#aor(words.next('a user')));
        return;
      case 'alias':
        this.#alias(words);
        return;
      case 'grant':
        this.#grant(words);
        return;
      case 'policy':
        while (!words.done) this.#policy = { ...this.#policy, ...readPolicyWord(words) };
        return;
      case 'given':
      case 'then':
        this.#state(word, words);
        return;
      default:
        throw new ScenarioSyntax(words.line, `"${word}" begins no statement`);
    }
  }

  #alias(words: WordReader): void {
    const alias = this.#aor(words.next('an alias'));
    words.expect('->');
    const aor = this.#aor(words.next('an AoR'));
    this.#aliases.push({ alias, aor });
    this.#users.add(aor);
  }

  #grant(words: WordReader): void {
    const identity = this.#aor(words.next('an identity'));
    words.expect('->');
    const aor = this.#aor(words.next('an AoR'));
    this.#grants.push({ identity, aor });
    this.#users.add(identity).add(aor);
  }

  #state(kind: 'given' | 'then', words: WordReader): void {
    const { line } = words;
    const aor = this.#aor(words.next('an AoR'));
    words.expect('->');
    const binding = readBinding(words);
    if (kind === 'given') {
      if (binding === undefined) throw new ScenarioSyntax(line, 'nothing is given anyway');
      this.steps.push({ kind, line, aor, binding });
      return;
    }
    const listed = binding === undefined ? [] : [binding];
    const last = this.steps.at(-1);
    if (last?.kind === 'then' && last.aor === aor && last.at === this.#at) {
      const bindings: readonly ScenarioBinding[] = [...last.bindings, ...listed];
      this.steps[this.steps.length - 1] = { ...last, bindings };
    } else {
      this.steps.push({ kind, line, at: this.#at, aor, bindings: listed });
    }
  }

  #aor(text: string): string {
    return text.includes(':') ? text : `sip:${text}@${this.#names.domain}`;
  }
}
