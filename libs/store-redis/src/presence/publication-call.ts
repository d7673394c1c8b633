import type { PublicationCommit, PublicationOutcome, SubscriptionId, Telling } from '@rollcall/events';
import type { EpochMs } from '@rollcall/kernel';
import { listOf, textOf } from '../call.ts';
import { decimalMs } from '../codec/base36.ts';
import { readRecord, versionText } from '../codec/record.ts';
import { shardOf } from '../keys.ts';
import { presenceKeys as keys } from './presence-keys.ts';
import { printPublications, readPublicationsText } from './publications-text.ts';
import { DIRTY_LIMIT, GRACE_MS, livesUntil, presenceScript } from './script-call.ts';
import type { ScriptCall, VersionAfter } from './script-call.ts';
import { printSubscription } from './subscription-text.ts';

/** With the most claims that it may bring; `withKeys` makes the smaller ones. */
const commitPublications = presenceScript('commit-publications', 21);
const PUBLICATION_KEYS = 5;

/** The commit of a PUBLISH. `until` is when the duty to tell, or a claim, falls to others. */
export function publicationCall(
  commit: PublicationCommit,
  until: EpochMs,
  versionAfter: VersionAfter,
): ScriptCall<PublicationOutcome> {
  const { resource, publications, claims } = commit;
  const shard = shardOf(resource);
  const version = versionAfter(commit.expectedVersion);
  const last = publications.reduce((latest, { expiresAt }) => Math.max(latest, expiresAt), 0);
  const names = [
    keys.publications(shard, resource),
    keys.watchers(shard, resource),
    keys.due(shard),
    keys.dirty(shard),
    keys.record(shard, resource),
  ];
  const values = [
    resource,
    versionText(commit.expectedVersion),
    publications.length === 0 ? '' : printPublications(version, publications),
    publications.length === 0 ? '' : decimalMs(last + GRACE_MS),
    commit.changed ? '1' : '0',
    commit.trace ?? '',
    String(shard),
    DIRTY_LIMIT,
    commit.packages?.join(' ') ?? '',
    String(commit.tells ?? 0),
    decimalMs(until),
    claims?.watchers.join(' ') ?? '',
    claims === undefined ? '' : versionText(claims.location),
  ];
  const versions: number[] = [];
  for (const { id, expectedVersion, next, holds } of claims?.commits ?? []) {
    const after = holds ? expectedVersion : expectedVersion + 1;
    versions.push(after);
    names.push(keys.subscription(shard, id));
    values.push(
      id,
      versionText(expectedVersion),
      holds ? '' : printSubscription(after, next),
      holds ? '' : livesUntil(next),
    );
  }
  const committed = (told?: readonly number[], telling?: Telling): PublicationOutcome => ({
    kind: 'committed',
    version: publications.length === 0 ? 0 : version,
    told,
    telling,
  });
  return {
    script: commitPublications.withKeys(PUBLICATION_KEYS + versions.length),
    shard,
    values: [...names, ...values],
    read: (reply) => {
      if (!Array.isArray(reply)) return committed(textOf(reply) === 'told' ? versions : undefined);
      const [kind, value, location] = listOf(reply);
      if (textOf(kind) !== 'tell') return { kind: 'conflict', current: readPublicationsText(textOf(value)) };
      return committed(undefined, {
        duty: { resource, until },
        watchers: listOf(value).map((id) => textOf(id) as SubscriptionId),
        location: readRecord(resource, textOf(location)),
      });
    },
  };
}
