import { edit, parseMessage, type SipResponse } from '@rollcall/sip';

/** `whole`: every line of an answer is read before it counts. `top`: the status and our Via alone, for who hands it on. */
export type AnswerReading = 'whole' | 'top';

const STATUS_LINE = 'SIP/2.0 ';
const STATUS_END = STATUS_LINE.length + 3;
const VIA_LINE = 'Via: SIP/2.0/TCP ';
const BRANCH = ';branch=';
const POP = { dropFirst: ['via'] } as const;

/** The answer of another service of ours. */
export class InnerAnswer {
  readonly kind = 'response' as const;
  readonly status: number;
  /** That of the topmost Via. */
  readonly branch: string;
  readonly #raw: string;
  /** Where the line of our Via begins and ends; 0 when it has to be looked for. */
  readonly #viaStart: number;
  readonly #viaEnd: number;
  #response: SipResponse | undefined;

  constructor(
    raw: string,
    status: number,
    branch: string,
    viaStart: number,
    viaEnd: number,
    response: SipResponse | undefined,
  ) {
    this.status = status;
    this.branch = branch;
    this.#raw = raw;
    this.#viaStart = viaStart;
    this.#viaEnd = viaEnd;
    this.#response = response;
  }

  /** The answer, read. Throws when it was read as `top` and the rest of it is malformed. */
  get response(): SipResponse {
    if (this.#response === undefined) {
      const parsed = parseMessage(this.#raw);
      if (!parsed.ok || parsed.value.kind !== 'response')
        throw new Error('an inner answer that is no response');
      this.#response = parsed.value;
    }
    return this.#response;
  }

  /** The octets of the answer without its topmost Via: what goes on to whoever asked. */
  get below(): string {
    if (this.#viaEnd === 0) return edit(this.response, POP);
    return this.#raw.slice(0, this.#viaStart) + this.#raw.slice(this.#viaEnd);
  }
}

/** Reads one framed answer; undefined for what is none. */
export function readAnswer(raw: string, reading: AnswerReading): InnerAnswer | undefined {
  return (reading === 'top' ? readTop(raw) : undefined) ?? readWhole(raw);
}

function readWhole(raw: string): InnerAnswer | undefined {
  const parsed = parseMessage(raw);
  if (!parsed.ok || parsed.value.kind !== 'response') return undefined;
  const via = parsed.value.topVia();
  if (!via.ok || via.value.branch === undefined) return undefined;
  return new InnerAnswer(raw, parsed.value.status, via.value.branch, 0, 0, parsed.value);
}

/** What our services send: the status line, then a line of our Via alone, whose only parameter is the branch. */
function readTop(raw: string): InnerAnswer | undefined {
  if (!raw.startsWith(STATUS_LINE) || raw.charCodeAt(STATUS_END) !== 0x20) return undefined;
  let status = 0;
  for (let i = STATUS_LINE.length; i < STATUS_END; i += 1) {
    const digit = raw.charCodeAt(i) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    status = status * 10 + digit;
  }
  const viaStart = raw.indexOf('\r\n') + 2;
  if (status < 100 || status > 699 || !raw.startsWith(VIA_LINE, viaStart)) return undefined;
  const end = raw.indexOf('\r\n', viaStart);
  const branch = raw.indexOf(BRANCH, viaStart) + BRANCH.length;
  if (branch < viaStart + BRANCH.length || branch >= end || !isToken(raw, branch, end)) return undefined;
  return new InnerAnswer(raw, status, raw.slice(branch, end), viaStart, end + 2, undefined);
}

/** Letters, digits and the dot: all that branches of ours are made of. Anything else is read the long way. */
function isToken(raw: string, at: number, end: number): boolean {
  for (let i = at; i < end; i += 1) {
    const code = raw.charCodeAt(i);
    const isLetter = (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
    const isOther = (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x2e || code === 0x5f;
    if (!isLetter && !isOther) return false;
  }
  // what follows must be another header line, not a fold
  return raw.charCodeAt(end + 2) > 0x20;
}
