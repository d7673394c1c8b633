/** Mutations of octet strings out of one seed: the same seed gives the same run on every machine. */

/** A generator of numbers below 2^32 (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** What stands in SIP messages where something is decided. */
const WORDS = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\r\n\r\n',
    '\r\n ',
    '\r\n\t',
    ' ',
    '\t',
    '\0',
    '\x7f',
    '\xff',
    '"',
    '\\',
    '<',
    '>',
    '(',
    ')',
  ],
  ...[
    ',',
    ';',
    ':',
    '=',
    '?',
    '&',
    '@',
    '%',
    '%00',
    '%zz',
    '*',
    '[',
    ']',
    '::',
    '/',
    '\\"',
    '""',
    '<>',
    ';;',
    ',,',
    '==',
  ],
  ...['0', '-1', '+5', '0x5', '4294967296', '99999999999999999999', '1e9', '00000000000000000001'],
  ...[
    'SIP/2.0',
    'sip:',
    'sips:',
    'tel:',
    'REGISTER ',
    'INVITE ',
    'ACK ',
    '200',
    '999',
    'z9hG4bK',
    ';branch=',
    ';tag=',
  ],
  ...[
    'Via: ',
    'v:',
    'Content-Length: 0\r\n',
    'l: 5\r\n',
    'Contact: *\r\n',
    'm:',
    'CSeq: 1 ',
    'Expires: ',
    'Route: ',
    'i: ',
  ],
  ...[
    ';expires=',
    ';q=0.5',
    ';q=1.0000',
    ';rport',
    ';received=',
    ';lr',
    ';maddr=',
    ';transport=ws',
    'Digest ',
    'nc=00000001',
  ],
];

const LONGEST = 20_000;

export class Mutator {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = generator(seed);
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return limit <= 0 ? 0 : this.#next() % limit;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** One of the texts, changed in one to four places. */
  mutate(texts: readonly string[]): string {
    let text = this.pick(texts);
    for (let times = 1 + this.below(4); times > 0; times -= 1) text = this.#once(text, texts);
    return text.length > LONGEST ? text.slice(0, LONGEST) : text;
  }

  #once(text: string, texts: readonly string[]): string {
    const at = this.below(text.length + 1);
    const end = Math.min(text.length, at + this.below(this.below(8) === 0 ? text.length + 1 : 16));
    const put = (middle: string): string => text.slice(0, at) + middle + text.slice(end);
    switch (this.below(9)) {
      case 0: // one octet becomes another
        return text.slice(0, at) + String.fromCharCode(this.below(256)) + text.slice(at + 1);
      case 1: // one bit
        return (
          text.slice(0, at) +
          String.fromCharCode((text.charCodeAt(at) ^ (1 << this.below(8))) & 0xff) +
          text.slice(at + 1)
        );
      case 2: // something goes
        return put('');
      case 3: // something comes twice, or many times
        return put(text.slice(at, end).repeat(this.below(6) === 0 ? this.below(600) : 2));
      case 4: // a word that means something
        return text.slice(0, at) + this.pick(WORDS) + text.slice(at);
      case 5: // one in the place of another
        return put(this.pick(WORDS));
      case 6: // the end goes
        return text.slice(0, at);
      case 7: {
        // two messages become one
        const other = this.pick(texts);
        return text.slice(0, at) + other.slice(this.below(other.length));
      }
      default: {
        // lines change places
        const lines = text.split('\r\n');
        const [line = ''] = lines.splice(this.below(lines.length), 1);
        lines.splice(this.below(lines.length + 1), 0, line);
        return lines.join('\r\n');
      }
    }
  }
}
