import { assertNever } from '@rollcall/kernel';
import type { Mailbox, ResourceState, StateSource } from '@rollcall/events';
import type { Aor } from '@rollcall/location';
import { textOf } from '../call.ts';
import type { Reply } from '../call.ts';
import { readRecord } from '../codec/record.ts';
import { readListText, readRulesText } from './document-text.ts';
import { presenceKeys as keys } from './presence-keys.ts';
import { readPublicationsText } from './publications-text.ts';

/** Sources that are one key each; the watchers are many records. */
export type StoredSource = Exclude<StateSource, 'watchers'>;
export const isStored = (source: StateSource): source is StoredSource => source !== 'watchers';

export function sourceKey(source: StoredSource, shard: number, resource: Aor): string {
  switch (source) {
    case 'location':
      return keys.record(shard, resource);
    case 'mailbox':
      return keys.mailbox(shard, resource);
    case 'publications':
      return keys.publications(shard, resource);
    case 'rules':
      return keys.rules(shard, resource);
    case 'list':
      return keys.list(shard, resource);
    default:
      return assertNever(source, 'state source');
  }
}

/** What the keys of the sources hold, as the state of their resource. */
export function readParts(
  resource: Aor,
  sources: readonly StoredSource[],
  replies: readonly Reply[],
): ResourceState {
  const state: { -readonly [Part in keyof ResourceState]: ResourceState[Part] } = { resource };
  sources.forEach((source, n) => {
    const text = textOf(replies[n]);
    if (source === 'location') state.location = readRecord(resource, text);
    else if (source === 'mailbox') state.mailbox = readMailboxText(text);
    else if (source === 'rules') state.rules = readRulesText(text);
    else if (source === 'list') state.list = readListText(text);
    else state.publications = readPublicationsText(text);
  });
  return state;
}

const readMailboxText = (text: string): Mailbox | undefined =>
  text === '' ? undefined : (JSON.parse(text) as Mailbox);
