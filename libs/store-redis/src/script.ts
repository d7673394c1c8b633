import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/**
 * One Lua file. Read when it is first run; sent by its SHA-1, and whole only when the server does not know it
 * (a new server, a restart, `SCRIPT FLUSH`).
 */
export class Script {
  readonly name: string;
  readonly keyCount: number;
  readonly #file: URL;
  #source: string | undefined;
  #sha = '';
  #durable = false;
  /** Protocol text that begins a call, by number of arguments after the keys. */
  readonly #shortHeads: string[] = [];
  readonly #others: Script[] = [];

  constructor(file: URL, keyCount: number) {
    this.#file = file;
    this.keyCount = keyCount;
    this.name = file.pathname.slice(file.pathname.lastIndexOf('/') + 1).replace(/\.lua$/, '');
  }

  /** Whether an answer to a phone or an operator rests on its effect; its head says so by a line `-- Durable: why`. */
  get durable(): boolean {
    if (this.#source === undefined) this.#load();
    return this.#durable;
  }

  /** The same file called with another number of keys, for scripts that walk over theirs. */
  withKeys(keyCount: number): Script {
    return (this.#others[keyCount] ??= new Script(this.#file, keyCount));
  }

  /** `*n EVALSHA sha keys`, ready to be followed by the keys and arguments. */
  head(argumentCount: number): string {
    return (this.#shortHeads[argumentCount] ??= this.#print('EVALSHA', this.#load(), argumentCount));
  }

  /** The same with the source, which teaches it to the server. */
  longHead(argumentCount: number): string {
    this.#load();
    return this.#print('EVAL', this.#source ?? '', argumentCount);
  }

  #print(command: string, body: string, argumentCount: number): string {
    const count = 3 + this.keyCount + argumentCount;
    return `*${String(count)}\r\n` + bulk(command) + bulk(body) + bulk(String(this.keyCount));
  }

  #load(): string {
    if (this.#source === undefined) {
      this.#source = readFileSync(this.#file, 'latin1');
      this.#sha = createHash('sha1').update(this.#source, 'latin1').digest('hex');
      this.#durable = DURABLE.test(this.#source);
      LOADED.set(this.#sha, this);
    }
    return this.#sha;
  }
}

const DURABLE = /^-- Durable: /m;
/** Scripts by what they are sent as. */
const LOADED = new Map<string, Script>();

/** A script that has been sent by this process. */
export const scriptBySha = (sha: string): Script | undefined => LOADED.get(sha);

/** A script by its file beside the package's `src` and `dist`: `defineScript(new URL('../scripts/commit.lua', import.meta.url), 5)`. */
export function defineScript(file: URL, keyCount: number): Script {
  return new Script(file, keyCount);
}

/** One argument in the Redis protocol. Texts are octet strings, so the length in characters is the length in octets. */
export function bulk(text: string): string {
  const { length } = text;
  return (LENGTHS[length] ?? `$${String(length)}\r\n`) + text + '\r\n';
}

/** `$n` of the usual lengths. */
const LENGTHS = Array.from({ length: 1024 }, (_, length) => `$${String(length)}\r\n`);

/** Octet strings as the bulk strings of the protocol, one after the other. Throws a TypeError for what is not octets. */
export function bulks(values: readonly string[]): string {
  let text = '';
  for (const value of values) text += bulk(value);
  if (/[^\x00-\xff]/.test(text)) throw new TypeError('not an octet string');
  return text;
}
