/** What stands in place of a credential. */
const MASK = '***';

/** Fields whose value is a credential wherever they occur; compared in lower case without `-` and `_`. */
const SECRET_FIELDS: ReadonlySet<string> = new Set([
  'authorization',
  'proxyauthorization',
  'authenticationinfo',
  'password',
  'secret',
  'token',
  'apikey',
  'ha1',
  'ha1s',
  'cookie',
  'response',
]);

// Credentials inside text: a SIP or HTTP header, a bearer token, the user part of a URL, the answer of a digest.
const HEADER = /\b((?:proxy-)?authorization\s*:\s*)[^\r\n]*/gi;
const BEARER = /\b(bearer\s+)[^\s"',]+/gi;
const URL_PASSWORD = /(\w:\/\/[^\s:@/]*:)[^\s@/]+@/g;
const DIGEST_ANSWER = /\b(response\s*=\s*")[^"]*/gi;

/** More than this of one field says nothing more to a reader of logs, and is a way to fill a disk. */
const MAX_TEXT = 2_000;
/** Deeper than this an object is data, not a log field. */
const MAX_DEPTH = 4;
const MAX_ITEMS = 50;

// C0 and C1 controls, DEL, line and paragraph separators, and the bidirectional overrides that turn a line around.

const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Text as it may stand in a log line: credentials masked, control characters written out, cut to a bound. */
export function safeText(text: string): string {
  const cut = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
  return cut
    .replace(HEADER, `$1${MASK}`)
    .replace(BEARER, `$1${MASK}`)
    .replace(URL_PASSWORD, `$1${MASK}@`)
    .replace(DIGEST_ANSWER, `$1${MASK}`)
    .replace(UNSAFE, escapeUnit);
}

function isSecretField(name: string): boolean {
  return SECRET_FIELDS.has(name.toLowerCase().replace(/[-_]/g, ''));
}

function safeError(error: Error, depth: number): Record<string, unknown> {
  const shown: Record<string, unknown> = { type: error.name, message: safeText(error.message) };
  if ('code' in error) shown['code'] = safeValue(error.code, depth + 1);
  const frames = error.stack?.split('\n').filter((line) => line.startsWith('    at ')) ?? [];
  shown['stack'] = frames.map((line) => safeText(line.trim()));
  if (error.cause !== undefined) shown['cause'] = safeValue(error.cause, depth + 1);
  return shown;
}

function safeEntries(entries: Iterable<[string, unknown]>, depth: number): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  let left = MAX_ITEMS;
  for (const [key, value] of entries) {
    if ((left -= 1) < 0) break;
    // A plain object of string keys: `__proto__` must become a field of it, not its prototype.
    const safe = isSecretField(key) && value !== undefined ? MASK : safeValue(value, depth + 1);
    Object.defineProperty(shown, safeText(key), {
      value: safe,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return shown;
}

/** Any value as it may be logged. */
export function safeValue(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return safeText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'symbol' || typeof value === 'function') return typeof value;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return safeError(value, depth);
  if (depth >= MAX_DEPTH) return '…';
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => safeValue(item, depth + 1));
  if (value instanceof Map) {
    return safeEntries(
      Array.from(value, ([key, item]): [string, unknown] => [String(key), item]),
      depth,
    );
  }
  if (value instanceof Set) return safeValue([...value], depth);
  if (ArrayBuffer.isView(value)) return `${String(value.byteLength)} bytes`;
  return safeEntries(Object.entries(value), depth);
}

/** The fields of one log event as they may be written. */
export function safeFields(fields: object): Record<string, unknown> {
  return safeEntries(Object.entries(fields), 0);
}
