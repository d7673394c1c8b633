import { epochMs } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import { dueAt } from '@rollcall/events';
import type { DeliveryState, StoredSubscription, Subscription, SubscriptionId } from '@rollcall/events';
import { base36, base36x8, base36x9, readBase36 } from '../codec/base36.ts';

/*
 * The subscription record: `1` (format) · version, 9 digits · expiry in ms, 8 digits · due in ms, 8 digits · lines. The scripts
 * compare the numbers as texts. What stands elsewhere in the record is not written again. No value holds a line feed: the domain
 * sees to that when it reads a SUBSCRIBE.
 */

const FORMAT = '1';
const VERSION_END = 10;
const EXPIRY_END = 18;
const HEADER_END = 26;
const FIXED_LINES = 13;

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
const STATES: ReadonlyMap<string, DeliveryState> = new Map(
  Object.entries(LETTERS).map(([state, letter]) => [letter, state as DeliveryState]),
);

export function printSubscription(version: number, subscription: Subscription): string {
  const s = subscription;
  const numbers =
    LETTERS[s.delivery] +
    `${base36(s.remoteCseq)},${base36(s.localCseq)},${base36(s.until)},${base36(s.failures)},${base36(s.documents)}`;
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
  const [remoteCseq = 0, localCseq = 0, until = 0, failures = 0, documents = 0] = line(3)
    .slice(1)
    .split(',')
    .map((digits) => readBase36(digits, 0, digits.length));
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
    localTarget: readOwn(line(10), id),
    remoteCseq,
    localCseq,
    accept: line(11),
    expiresAt: epochMs(expiresAt),
    delivery,
    until: epochMs(until),
    failures,
    sent: line(12),
    documents,
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

const readOwn = (line: string, id: SubscriptionId): string =>
  line.startsWith('@') ? `sip:${id}${line}` : line;
