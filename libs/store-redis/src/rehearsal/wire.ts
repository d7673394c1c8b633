/** What the understudy answers: a status is a `Status`, a text a bulk string, null nil. */
export type Answer = string | number | null | Status | readonly Answer[];
export interface Status {
  readonly status: string;
}

/** One command of the Redis protocol at `from`, octets; undefined while it is not whole. */
export function readCommand(text: string, from: number): { parts: string[]; end: number } | undefined {
  const headEnd = text.indexOf(CRLF, from);
  if (headEnd < 0) return undefined;
  const count = Number(text.slice(from + 1, headEnd));
  const parts: string[] = [];
  let at = headEnd + CRLF.length;
  for (let n = 0; n < count; n += 1) {
    const lineEnd = text.indexOf(CRLF, at);
    if (lineEnd < 0) return undefined;
    const start = lineEnd + CRLF.length;
    const end = start + Number(text.slice(at + 1, lineEnd));
    if (text.length < end + CRLF.length) return undefined;
    parts.push(text.slice(start, end));
    at = end + CRLF.length;
  }
  return { parts, end: at };
}

/** An answer in the Redis protocol. */
export function printReply(answer: Answer): string {
  if (answer === null) return '$-1\r\n';
  if (typeof answer === 'number') return `:${String(answer)}\r\n`;
  if (typeof answer === 'string') return `$${String(answer.length)}\r\n${answer}\r\n`;
  if ('status' in answer) return `+${answer.status}\r\n`;
  return `*${String(answer.length)}\r\n${answer.map(printReply).join('')}`;
}

const CRLF = '\r\n';
