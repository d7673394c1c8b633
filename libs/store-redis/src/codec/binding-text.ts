import { epochMs } from '@rollcall/kernel';
import type { Aor, Binding, BindingId } from '@rollcall/location';
import { base36, base36x8, readBase36 } from './base36.ts';
import {
  printInteger,
  printLifetime,
  printOptional,
  printText,
  readInteger,
  readLifetime,
  readOptional,
  readText,
} from './fields.ts';

/*
 * A binding as lines of text: id, Contact, parameters, Call-ID, numbers, User-Agent, instance, source, then its Path values. What
 * stands elsewhere in the record is not written again: the user part of the Contact is mostly that of the AoR, the source mostly
 * the host of the Contact, the instance a part of the parameters, and a Path value of ours is framed by `<sip:` and `;lr;ob>`.
 */

const FIXED_LINES = 8;
const STAMP_DIGITS = 8;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The binding's lines, each with its line feed. */
export function printBinding(binding: Binding, aor: Aor): string {
  let text =
    `${printText(binding.id)}\n${printContact(binding.contact, aor)}\n${printText(binding.params)}\n` +
    `${printText(binding.callId)}\n${printNumbers(binding)}\n${printOptional(binding.userAgent)}\n` +
    `${printInstance(binding)}\n${printSource(binding)}\n`;
  for (const path of binding.path) text += `${printPath(path)}\n`;
  return text;
}

/** Reads one binding off `lines`, the next of which is at `cursor.at`. Throws `RangeError` when they are not ours. */
export function readBinding(lines: readonly string[], cursor: { at: number }, aor: Aor): Binding {
  const at = cursor.at;
  const line = (n: number): string => lines[at + n] ?? '';
  const numbers = readNumbers(line(4));
  const next = at + FIXED_LINES + numbers.paths;
  if (next >= lines.length) throw new RangeError('a location record ends in the middle of a binding');
  const params = readText(line(2));
  const contact = readContact(line(1), aor);
  const path: string[] = [];
  for (let i = at + FIXED_LINES; i < next; i += 1) path.push(readPath(lines[i] ?? ''));
  const binding: Mutable<Binding> = {
    id: readText(line(0)) as BindingId,
    contact,
    params,
    callId: readText(line(3)),
    cseq: numbers.cseq,
    path,
    registeredAt: epochMs(numbers.refreshedAt - numbers.age),
    refreshedAt: epochMs(numbers.refreshedAt),
    expiresAt: epochMs(numbers.refreshedAt + numbers.lifetime),
  };
  if (numbers.q !== undefined) binding.q = numbers.q;
  if (numbers.regId !== undefined) binding.regId = numbers.regId;
  const userAgent = readOptional(line(5));
  if (userAgent !== undefined) binding.userAgent = userAgent;
  const instance = readInstance(line(6), params);
  if (instance !== undefined) binding.instance = instance;
  const source = readSource(line(7), contact);
  if (source !== undefined) binding.source = source;
  cursor.at = next;
  return binding;
}

/** `<refreshed at, 8 digits><lifetime>,<cseq>,<ms since registered>,<Path values>[,<q>[,<reg-id>]]`, integers in base 36. */
function printNumbers(binding: Binding): string {
  const { refreshedAt } = binding;
  const text =
    base36x8(refreshedAt) +
    `${printLifetime(binding.expiresAt - refreshedAt)},${base36(binding.cseq)},` +
    `${printInteger(refreshedAt - binding.registeredAt)},${base36(binding.path.length)}`;
  if (binding.q === undefined && binding.regId === undefined) return text;
  const q = binding.q === undefined ? '' : base36(binding.q);
  return binding.regId === undefined ? `${text},${q}` : `${text},${q},${base36(binding.regId)}`;
}

function readNumbers(text: string): {
  refreshedAt: number;
  lifetime: number;
  cseq: number;
  age: number;
  paths: number;
  q: number | undefined;
  regId: number | undefined;
} {
  const [lifetimeText = '', cseqText = '', ageText = '', pathsText = '', q, regId] = text
    .slice(STAMP_DIGITS)
    .split(',');
  const refreshedAt = readBase36(text, 0, STAMP_DIGITS);
  const lifetime = readLifetime(lifetimeText);
  const cseq = readInteger(cseqText);
  const age = readInteger(ageText);
  const paths = readInteger(pathsText);
  if (Number.isNaN(refreshedAt + lifetime + cseq + age + paths)) {
    throw new RangeError('a location record with numbers that are none');
  }
  return {
    refreshedAt,
    lifetime,
    cseq,
    age,
    paths,
    q: q === undefined || q === '' ? undefined : readInteger(q),
    regId: regId === undefined || regId === '' ? undefined : readInteger(regId),
  };
}

/** `@rest` when the URI begins like the AoR up to its `@`; `.uri` otherwise. */
export function printContact(contact: string, aor: Aor): string {
  const shared = aor.indexOf('@') + 1;
  return printText(
    shared > 0 && contact.startsWith(aor.slice(0, shared)) ? `@${contact.slice(shared)}` : `.${contact}`,
  );
}

export function readContact(line: string, aor: Aor): string {
  const text = readText(line);
  return text.startsWith('@') ? aor.slice(0, aor.indexOf('@') + 1) + text.slice(1) : text.slice(1);
}

/** `=offset.length` within the parameters, `.value`, or nothing. */
function printInstance({ instance, params }: Binding): string {
  if (instance === undefined) return '';
  const at = params.indexOf(instance);
  return at < 0 ? printText(`.${instance}`) : `=${base36(at)}.${base36(instance.length)}`;
}

function readInstance(line: string, params: string): string | undefined {
  if (line === '') return undefined;
  if (!line.startsWith('=')) return readText(line).slice(1);
  const [at = '', length = ''] = line.slice(1).split('.');
  const start = readInteger(at);
  return params.slice(start, start + readInteger(length));
}

/** Host and port of a URI's text, as it stands there. */
function hostPort(contact: string): string {
  const start = contact.indexOf('@') + 1;
  const end = contact.indexOf(';', start);
  return contact.slice(start, end < 0 ? contact.length : end);
}

/** `=transport` when the Contact names the host and port, `.value`, or nothing. */
function printSource({ source, contact }: Binding): string {
  if (source === undefined) return '';
  const colon = source.indexOf(':');
  const sameHost = colon > 0 && source.slice(colon + 1) === hostPort(contact);
  return printText(sameHost ? `=${source.slice(0, colon)}` : `.${source}`);
}

function readSource(line: string, contact: string): string | undefined {
  if (line === '') return undefined;
  const text = readText(line);
  return text.startsWith('=') ? `${text.slice(1)}:${hostPort(contact)}` : text.slice(1);
}

const PATH_START = '<sip:';
const PATH_END = ';lr;ob>';
/** What stands before `PATH_END`, by the digit that a framed Path value begins with; `0` is a value as it is. */
const PATH_TRANSPORTS = ['', '', ';transport=tcp', ';transport=tls', ';transport=ws'] as const;

function printPath(path: string): string {
  if (!path.startsWith(PATH_START) || !path.endsWith(PATH_END)) return printText(`0${path}`);
  const inner = path.slice(PATH_START.length, -PATH_END.length);
  for (let code = PATH_TRANSPORTS.length - 1; code > 1; code -= 1) {
    const transport = PATH_TRANSPORTS[code] ?? '';
    if (inner.endsWith(transport)) return printText(`${String(code)}${inner.slice(0, -transport.length)}`);
  }
  return printText(`1${inner}`);
}

function readPath(line: string): string {
  const text = readText(line);
  const code = text.charCodeAt(0) - 48;
  if (code === 0) return text.slice(1);
  return PATH_START + text.slice(1) + (PATH_TRANSPORTS[code] ?? '') + PATH_END;
}
