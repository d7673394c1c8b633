import { base36, epochMs } from '@rollcall/kernel';
import type { Aor, Binding, BindingId } from '@rollcall/location';
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

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The binding's lines, each with its line feed. `first` is the record's next expiry, which most of the times are told from. */
export function printBinding(binding: Binding, aor: Aor, first: number): string {
  let text =
    `${printText(binding.id)}\n${printContact(binding.contact, aor)}\n${printText(binding.params)}\n` +
    `${printText(binding.callId)}\n${printNumbers(binding, first)}\n${printOptional(binding.userAgent)}\n` +
    `${printInstance(binding)}\n${printSource(binding)}\n`;
  for (const path of binding.path) text += `${printPath(path)}\n`;
  return text;
}

/** Reads one binding off `lines`, the next of which is at `cursor.at`. Throws `RangeError` when they are not ours. */
export function readBinding(
  lines: readonly string[],
  cursor: { at: number },
  aor: Aor,
  first: number,
): Binding {
  const at = cursor.at;
  const line = (n: number): string => lines[at + n] ?? '';
  const numbers = readNumbers(line(4), first);
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
    expiresAt: epochMs(numbers.expiresAt),
  };
  if (numbers.q !== undefined) binding.q = numbers.q;
  if (numbers.regId !== undefined) binding.regId = numbers.regId;
  readAdded(binding, numbers.added);
  const userAgent = readOptional(line(5));
  if (userAgent !== undefined) binding.userAgent = userAgent;
  const instance = readInstance(line(6), params);
  if (instance !== undefined) binding.instance = instance;
  const source = readSource(line(7), contact);
  if (source !== undefined) binding.source = source;
  cursor.at = next;
  return binding;
}

/**
 * `<cseq>,<lifetime>[,<expiry after the record's next one>[,<ms from registered to refreshed>[,<Path values>[,<q>[,<reg-id>
 * [,<added>]]]]]]`: integers in base 36, the usual values (0, 0 and 1 for the middle ones) empty, and none at the end.
 */
function printNumbers(binding: Binding, first: number): string {
  const added = binding.gruu === undefined && binding.reachability === undefined ? '' : printAdded(binding);
  const { refreshedAt, expiresAt, q, regId } = binding;
  const later = expiresAt - first;
  const age = refreshedAt - binding.registeredAt;
  const paths = binding.path.length;
  let text = `${base36(binding.cseq)},${printLifetime(expiresAt - refreshedAt)}`;
  const last =
    regId !== undefined || added !== ''
      ? 5
      : q !== undefined
        ? 4
        : paths !== 1
          ? 3
          : age !== 0
            ? 2
            : later !== 0
              ? 1
              : 0;
  if (last > 0) text += later === 0 ? ',' : `,${printInteger(later)}`;
  if (last > 1) text += age === 0 ? ',' : `,${printInteger(age)}`;
  if (last > 2) text += paths === 1 ? ',' : `,${base36(paths)}`;
  if (last > 3) text += q === undefined ? ',' : `,${base36(q)}`;
  if (last > 4) text += regId === undefined ? ',' : `,${base36(regId)}`;
  return text + added;
}

function mustBeNumbers(sum: number): void {
  if (Number.isNaN(sum)) throw new RangeError('a location record with numbers that are none');
}

interface Numbers {
  readonly cseq: number;
  readonly expiresAt: number;
  readonly refreshedAt: number;
  readonly age: number;
  readonly paths: number;
  readonly q: number | undefined;
  readonly regId: number | undefined;
  readonly added: readonly string[];
}

function readNumbers(text: string, first: number): Numbers {
  const [cseqText = '', lifetime = '', later = '', ageText = '', pathsText = '', q, regId, ...added] =
    text.split(',');
  const cseq = readInteger(cseqText);
  const expiresAt = first + (later === '' ? 0 : readInteger(later));
  const refreshedAt = expiresAt - readLifetime(lifetime);
  const age = ageText === '' ? 0 : readInteger(ageText);
  const paths = pathsText === '' ? 1 : readInteger(pathsText);
  mustBeNumbers(cseq + refreshedAt + age + paths);
  return {
    cseq,
    expiresAt,
    refreshedAt,
    age,
    paths,
    q: q === undefined || q === '' ? undefined : readInteger(q),
    regId: regId === undefined || regId === '' ? undefined : readInteger(regId),
    added,
  };
}

/**
 * What came to the format later: `,<ms from registered to the GRUUs' generation>,<CSeq after the first>` or two empty ones, then
 * `,<0: unreachable, 1: reachable, else 2 more than the round trip in ms>,<ms from refreshed to then>`. Whoever does not know them
 * reads over them, and so do we over what comes after.
 */
function printAdded({ gruu, reachability, registeredAt, refreshedAt, cseq }: Binding): string {
  const state =
    gruu === undefined
      ? ',,'
      : `,${printInteger(gruu.since - registeredAt)},${printInteger(cseq - gruu.firstCseq)}`;
  if (reachability === undefined) return state;
  const { reachable, rttMs, at } = reachability;
  const found = reachable ? (rttMs === undefined ? 1 : rttMs + 2) : 0;
  return `${state},${base36(found)},${printInteger(at - refreshedAt)}`;
}

function readAdded(binding: Mutable<Binding>, added: readonly string[]): void {
  const [since = '', cseqs = '', found = '', at = ''] = added;
  if (since !== '') {
    const moment = epochMs(binding.registeredAt + readInteger(since));
    binding.gruu = { since: moment, firstCseq: binding.cseq - readInteger(cseqs) };
    mustBeNumbers(binding.gruu.since + binding.gruu.firstCseq);
  }
  if (found === '') return;
  const code = readInteger(found);
  const moment = epochMs(binding.refreshedAt + readInteger(at));
  mustBeNumbers(code + moment);
  binding.reachability = { reachable: code > 0, ...(code > 1 ? { rttMs: code - 2 } : {}), at: moment };
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
