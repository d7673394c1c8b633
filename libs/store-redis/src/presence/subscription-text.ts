import { base36, epochMs } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import { dueAt } from '@rollcall/events';
import type {
  Access,
  DeliveryState,
  ListKind,
  StoredSubscription,
  Subscription,
  SubscriptionId,
  TerminationReason,
} from '@rollcall/events';
import { base36x8, base36x9, readBase36 } from '../codec/base36.ts';

/*
 * The subscription record: `1` (format) · version, 9 digits · expiry in ms, 8 digits · due in ms, 8 digits · lines. The scripts
 * compare the numbers as texts. What stands elsewhere in the record is not written again. No value holds a line feed: the domain
 * sees to that when it reads a SUBSCRIBE. The fourth line is the delivery's letter, numbers with commas between, and last four
 * letters: access, reason, list, quenched. What is as usual at its end is left out; the build before this one reads five numbers
 * and no letters, and must be able to read what is written here (docs/operations.md, "Upgrade and rollback").
 */

const FORMAT = '1';
const VERSION_END = 10;
const EXPIRY_END = 18;
const HEADER_END = 26;
const FIXED_LINES = 13;
const FLAGS_FIELD = 10;

const LETTERS: Readonly<Record<DeliveryState, string>> = {
  settled: 's',
  inFlight: 'f',
  stale: 'c',
  owing: 'o',
  endOwed: 'e',
  waiting: 'w',
  parked: 'p',
  ending: 'x',
};
const ACCESS: Readonly<Record<Access, string>> = { active: 'a', pending: 'p', polite: 'b' };
const REASONS: Readonly<Record<TerminationReason, string>> = {
  timeout: 't',
  deactivated: 'd',
  probation: 'p',
  rejected: 'r',
  giveup: 'g',
  noresource: 'n',
};
const LISTS: Readonly<Record<ListKind, string>> = { stored: 's', adhoc: 'h' };
const NO_LIST = '-';
const QUENCHED = 'q';

const inverse = <T extends string>(letters: Readonly<Record<T, string>>): ReadonlyMap<string, T> =>
  new Map((Object.entries(letters) as [T, string][]).map(([name, letter]) => [letter, name]));
const STATES = inverse(LETTERS);
const ACCESS_OF = inverse(ACCESS);
const REASON_OF = inverse(REASONS);
const LIST_OF = inverse(LISTS);

/** Flags of nearly all subscriptions. */
const PLAIN_FLAGS = 'at--';

/** `,<seconds of Retry-After>,<flags>`; nothing for nearly all subscriptions. */
function printRare({ access, reason, list, quenched, retryAfter }: Subscription): string {
  const plain = access === 'active' && reason === 'timeout' && list === undefined && !quenched;
  if (plain && retryAfter === 0) return '';
  return (
    `,${base36(retryAfter)},` +
    ACCESS[access] +
    REASONS[reason] +
    (list === undefined ? NO_LIST : LISTS[list]) +
    (quenched ? QUENCHED : '-')
  );
}

export function printSubscription(version: number, subscription: Subscription): string {
  const s = subscription;
  const numbers =
    LETTERS[s.delivery] +
    `${base36(s.remoteCseq)},${base36(s.localCseq)},${base36(s.until)},${base36(s.failures)},${base36(s.documents)},` +
    `${base36(s.createdAt)},${base36(s.minInterval)},${base36(s.notifiedAt)},${base36(s.answered)}${printRare(s)}`;
  let text =
    FORMAT +
    base36x9(version) +
    base36x8(s.expiresAt) +
    base36x8(dueAt(s)) +
    `${s.resource}\n${s.package}\n${s.eventId}\n${numbers}\n${s.callId}\n${s.remoteTag}\n` +
    `${same(s.watcher, s.resource)}\n${same(s.remoteUri, s.watcher)}\n${same(s.localUri, s.resource)}\n` +
    `${s.remoteTarget}\n${printOwn(s.localTarget, s.id)}\n${s.accept}\n${s.sent}`;
  for (const route of s.route) text += `\n${route}`;
  return text;
}

/** Reads a record; an empty text is none. Throws `RangeError` when it is not a record that this code can read. */
export function readSubscriptionText(id: SubscriptionId, text: string): StoredSubscription | undefined {
  if (text === '') return undefined;
  const version = readBase36(text, FORMAT.length, VERSION_END);
  const expiresAt = readBase36(text, VERSION_END, EXPIRY_END);
  const lines = text.slice(HEADER_END).split('\n');
  const delivery = STATES.get((lines[3] ?? '').charAt(0));
  if (
    !text.startsWith(FORMAT) ||
    Number.isNaN(version + expiresAt) ||
    lines.length < FIXED_LINES ||
    !delivery
  ) {
    throw new RangeError('not a subscription record of a known format');
  }
  const line = (n: number): string => lines[n] ?? '';
  const fields = line(3).slice(1).split(',');
  const number = (n: number): number => {
    const digits = fields[n];
    return digits === undefined ? 0 : readBase36(digits, 0, digits.length);
  };
  const flags = fields[FLAGS_FIELD] ?? PLAIN_FLAGS;
  const resource = line(0) as Aor;
  const watcher = line(6) === '=' ? resource : line(6);
  const subscription: Subscription = {
    id,
    resource,
    package: line(1),
    eventId: line(2),
    watcher,
    callId: line(4),
    remoteTag: line(5),
    remoteUri: line(7) === '=' ? watcher : line(7),
    localUri: line(8) === '=' ? resource : line(8),
    remoteTarget: line(9),
    route: lines.slice(FIXED_LINES),
    localTarget: readOwn(line(10), id, lines[FIXED_LINES]),
    remoteCseq: number(0),
    localCseq: number(1),
    accept: line(11),
    expiresAt: epochMs(expiresAt),
    delivery,
    until: epochMs(number(2)),
    failures: number(3),
    sent: line(12),
    documents: number(4),
    access: ACCESS_OF.get(flags.charAt(0)) ?? 'active',
    reason: REASON_OF.get(flags.charAt(1)) ?? 'timeout',
    retryAfter: number(9),
    createdAt: epochMs(number(5)),
    minInterval: number(6),
    notifiedAt: epochMs(number(7)),
    answered: number(8),
    quenched: flags.charAt(3) === QUENCHED,
    list: LIST_OF.get(flags.charAt(2)),
  };
  return { version, subscription };
}

/** `=` for a text that stands in another line already. */
const same = (text: string, other: string): string => (text === other ? '=' : text);

/** `@host` for `sip:<id>@host`. */
function printOwn(target: string, id: SubscriptionId): string {
  const prefix = `sip:${id}`;
  return target.startsWith(`${prefix}@`) ? target.slice(prefix.length) : target;
}

/** Reads `^` and a number too: that many characters of the route are it, from its `@` on. Shorter, and to be written when the build before reads it. */
function readOwn(line: string, id: SubscriptionId, top = ''): string {
  if (line.startsWith('@')) return `sip:${id}${line}`;
  if (!line.startsWith('^')) return line;
  const at = top.indexOf('@');
  return `sip:${id}${top.slice(at, at + readBase36(line, 1, line.length))}`;
}
