import type { MessageCount, ResourceState } from '../model.ts';
import { fingerprintOf } from '../fingerprint.ts';
import type { EventPackage, StateView } from './package.ts';

/** RFC 3842 §5.2: every count is at most 2^32−1. */
const COUNT_MAX = 0xffff_ffff;
/** RFC 3842 §3.2 leaves the default to us; an hour, as phones ask for. */
const DEFAULT_EXPIRES = 3600;

const NONE: MessageCount = { fresh: 0, old: 0 };

/** RFC 3842: how many messages wait in a mailbox. */
export const messageSummary: EventPackage = {
  name: 'message-summary',
  rfc: 'RFC 3842',
  types: ['application/simple-message-summary'],
  defaultExpires: DEFAULT_EXPIRES,
  sources: ['mailbox'],
  unmovedBy: new Set(),
  audience: 'owner',
  view,
};

function view(state: ResourceState): StateView {
  const body = writeSummary(state);
  return { fingerprint: fingerprintOf(body), write: () => body };
}

/** The body of RFC 3842 §5.2. */
function writeSummary({ resource, mailbox }: ResourceState): string {
  const counts = Object.entries(mailbox?.counts ?? {});
  if (counts.length === 0) counts.push(['voice-message', NONE]);
  const waiting = counts.some(([, count]) => count.fresh > 0);
  let body = `Messages-Waiting: ${waiting ? 'yes' : 'no'}\r\nMessage-Account: ${mailbox?.account ?? resource}\r\n`;
  for (const [context, count] of counts) body += `${capitalised(context)}: ${writeCount(count)}\r\n`;
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
