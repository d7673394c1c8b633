import { err, ok } from '@rollcall/kernel';
import type { EpochMs, Result } from '@rollcall/kernel';
import type { MessageCount, ResourceState } from '../model.ts';
import { fingerprintOf } from '../fingerprint.ts';
import type { EventPackage, StateView } from './package.ts';

/** RFC 3842 §5.2: every count is at most 2^32−1. */
const COUNT_MAX = 0xffff_ffff;
/** RFC 3842 §3.2 leaves the default to us; an hour, as phones ask for. */
const DEFAULT_EXPIRES = 3600;

export const MESSAGE_SUMMARY = 'application/simple-message-summary';

/** RFC 3842: how many messages wait in a mailbox. */
export const messageSummary: EventPackage = {
  name: 'message-summary',
  rfc: 'RFC 3842',
  types: [MESSAGE_SUMMARY],
  defaultExpires: DEFAULT_EXPIRES,
  sources: ['mailbox', 'publications'],
  unmovedBy: new Set(),
  audience: 'owner',
  publication: {
    types: [MESSAGE_SUMMARY],
    read: (body) => {
      const summary = readSummary(body);
      return summary.ok ? ok(pack(summary.value)) : summary;
    },
  },
  view: (state, now) => view(state, now),
};

/** What one voice mail system says. */
interface Summary {
  /** Undefined: it does not say. */
  readonly account: string | undefined;
  readonly waiting: boolean;
  readonly counts: ReadonlyMap<string, MessageCount>;
}

const NONE: MessageCount = { fresh: 0, old: 0 };

function view(state: ResourceState, now: EpochMs): StateView {
  const body = writeSummary(compose(state, now), state.resource);
  return { fingerprint: fingerprintOf(body), write: () => body };
}

/**
 * The mailbox that REST has set and what voice mail systems publish. Of one account the last word stands, and a publication
 * stands before REST; several accounts are added up.
 */
function compose({ resource, mailbox, publications }: ResourceState, now: EpochMs): Summary {
  const accounts = new Map<string, Summary>();
  if (mailbox !== undefined) {
    const counts = new Map(Object.entries(mailbox.counts));
    accounts.set(mailbox.account ?? resource, { account: mailbox.account, waiting: false, counts });
  }
  for (const publication of publications?.publications ?? []) {
    if (publication.package !== messageSummary.name || publication.expiresAt <= now) continue;
    const summary = unpack(publication.body);
    accounts.set(summary.account ?? resource, summary);
  }
  const all = [...accounts.values()];
  const [only, second] = all;
  return {
    // RFC 3842 §3.8: who watches several accounts is told under the name of the group.
    account: second === undefined ? only?.account : undefined,
    waiting: all.some(({ waiting }) => waiting),
    counts: sumOf(all.map(({ counts }) => counts)),
  };
}

function sumOf(all: readonly ReadonlyMap<string, MessageCount>[]): ReadonlyMap<string, MessageCount> {
  const sums = new Map<string, MessageCount>();
  for (const counts of all) {
    for (const [context, count] of counts) {
      const known = sums.get(context);
      sums.set(context, known === undefined ? count : add(known, count));
    }
  }
  return sums;
}

function add(one: MessageCount, other: MessageCount): MessageCount {
  const urgent = [one.urgentFresh, one.urgentOld, other.urgentFresh, other.urgentOld].some(
    (count) => count !== undefined,
  );
  return {
    fresh: one.fresh + other.fresh,
    old: one.old + other.old,
    ...(urgent
      ? {
          urgentFresh: (one.urgentFresh ?? 0) + (other.urgentFresh ?? 0),
          urgentOld: (one.urgentOld ?? 0) + (other.urgentOld ?? 0),
        }
      : {}),
  };
}

/** The body of RFC 3842 §5.2. */
function writeSummary({ account, waiting, counts }: Summary, resource: string): string {
  const lines = [...counts];
  if (lines.length === 0 && !waiting) lines.push(['voice-message', NONE]);
  const any = waiting || lines.some(([, count]) => count.fresh > 0);
  let body = `Messages-Waiting: ${any ? 'yes' : 'no'}\r\nMessage-Account: ${account ?? resource}\r\n`;
  for (const [context, count] of lines) body += `${capitalised(context)}: ${writeCount(count)}\r\n`;
  return body;
}

function writeCount(count: MessageCount): string {
  const counts = `${bounded(count.fresh)}/${bounded(count.old)}`;
  if (count.urgentFresh === undefined && count.urgentOld === undefined) return counts;
  return `${counts} (${bounded(count.urgentFresh ?? 0)}/${bounded(count.urgentOld ?? 0)})`;
}

const bounded = (count: number): string => String(Math.min(Math.max(Math.trunc(count), 0), COUNT_MAX));

/** `voice-message` → `Voice-Message`: the names are case-insensitive, but every phone was tested with these. */
function capitalised(context: string): string {
  return context.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

// RFC 3842 §5.2; the classes are those of RFC 3458 §6.2 and RFC 3938.
const STATUS = /^messages-waiting[ \t]*:[ \t]*(yes|no)[ \t]*$/i;
const ACCOUNT = /^message-account[ \t]*:[ \t]*<?([a-z][a-z0-9+.-]*:[!-;=?-~]{1,512})>?[ \t]*$/i;
const LINE =
  /^((?:voice|video|fax|pager|multimedia|text)-message|none)[ \t]*:[ \t]*(\d{1,10})\/(\d{1,10})(?:[ \t]*\([ \t]*(\d{1,10})\/(\d{1,10})[ \t]*\))?[ \t]*$/i;

/** Reads a published summary. Headers of messages, which may follow after an empty line, are left out (§3.8). */
function readSummary(body: string): Result<Summary, string> {
  const [first = '', ...rest] = body.split(/\r?\n/);
  const status = STATUS.exec(first)?.[1];
  if (status === undefined) return err('it does not begin with Messages-Waiting');
  let account: string | undefined;
  const counts = new Map<string, MessageCount>();
  for (const line of rest) {
    if (line === '') break;
    const named = ACCOUNT.exec(line)?.[1];
    const count = LINE.exec(line);
    if (named !== undefined) account = named;
    else if (count !== null) counts.set((count[1] ?? '').toLowerCase(), countOf(count));
    else return err('a line that is neither account nor counts');
  }
  return ok({ account, waiting: status.toLowerCase() === 'yes' && counts.size === 0, counts });
}

function countOf([, , fresh, old, urgentFresh, urgentOld]: RegExpExecArray): MessageCount {
  const counts = { fresh: numberOf(fresh), old: numberOf(old) };
  if (urgentFresh === undefined) return counts;
  return { ...counts, urgentFresh: numberOf(urgentFresh), urgentOld: numberOf(urgentOld) };
}

const numberOf = (digits: string | undefined): number => Math.min(Number(digits ?? 0), COUNT_MAX);

/** Account and `waiting` in the first line, then a line for each class. */
function pack({ account, waiting, counts }: Summary): string {
  const lines = [`${waiting ? 'yes' : 'no'} ${account ?? ''}`];
  for (const [context, { fresh, old, urgentFresh, urgentOld }] of counts)
    lines.push([context, fresh, old, urgentFresh ?? '', urgentOld ?? ''].join(' '));
  return lines.join('\n');
}

function unpack(packed: string): Summary {
  const [head = '', ...lines] = packed.split('\n');
  const [waiting, account = ''] = head.split(' ');
  const counts = new Map<string, MessageCount>();
  for (const line of lines) {
    const [context = '', fresh, old, urgentFresh = '', urgentOld] = line.split(' ');
    const count = { fresh: numberOf(fresh), old: numberOf(old) };
    counts.set(
      context,
      urgentFresh === ''
        ? count
        : { ...count, urgentFresh: numberOf(urgentFresh), urgentOld: numberOf(urgentOld) },
    );
  }
  return { account: account === '' ? undefined : account, waiting: waiting === 'yes', counts };
}
