import { shardOfId, watchedPackage } from '@rollcall/events';
import type {
  SubscribeCommit,
  SubscribeOutcome,
  SubscriptionCommit,
  SubscriptionOutcome,
  TellDuty,
} from '@rollcall/events';
import { listOf, textOf } from '../call.ts';
import { versionText } from '../codec/record.ts';
import { readRulesText } from './document-text.ts';
import { presenceKeys as keys } from './presence-keys.ts';
import { isStored, readParts, sourceKey } from './resource-state.ts';
import { DIRTY_LIMIT, livesUntil, presenceScript } from './script-call.ts';
import type { ScriptCall, VersionAfter } from './script-call.ts';
import { printSubscription, readSubscriptionText } from './subscription-text.ts';
import { DUTY_MARK, printWatcherChange } from './work-text.ts';

/** Its largest call; `withKeys` makes the smaller ones. */
const settleSubscriptions = presenceScript('settle-subscriptions', 50);
const SETTLED_KEYS = 2;
const SETTLED_KEYS_EACH = 3;
/** Most commits of one call. */
export const SETTLED_AT_ONCE = 16;
const commitSubscription = presenceScript('commit-subscription', 9);

/** Commits of one shard, each compared by itself; with a duty, its mark goes away if all of them are made. */
export function settleCall(
  shard: number,
  commits: readonly SubscriptionCommit[],
  duty: TellDuty | undefined,
  versionAfter: VersionAfter,
): ScriptCall<readonly SubscriptionOutcome[]> {
  const names: string[] = [keys.due(shard), keys.dirty(shard)];
  const values: string[] = [String(shard), DIRTY_LIMIT];
  if (duty === undefined) values.push('', '');
  else values.push(DUTY_MARK + duty.resource, String(duty.until));
  const versions: number[] = [];
  for (const { id, resource, expectedVersion, next, watching } of commits) {
    const version = versionAfter(expectedVersion);
    versions.push(next === undefined ? 0 : version);
    names.push(keys.subscription(shard, id), keys.watchers(shard, resource), keys.winfo(shard, resource));
    values.push(
      id,
      versionText(expectedVersion),
      next === undefined ? '' : printSubscription(version, next),
      next === undefined ? '' : livesUntil(next),
      watching === undefined ? '' : printWatcherChange(watching),
      resource,
      next !== undefined && watchedPackage(next.package) !== undefined ? '1' : '',
    );
  }
  return {
    script: settleSubscriptions.withKeys(SETTLED_KEYS + SETTLED_KEYS_EACH * commits.length),
    shard,
    values: [...names, ...values],
    read: (reply) => {
      const replies = listOf(reply);
      return commits.map(({ id }, n): SubscriptionOutcome => {
        if (replies[n] === 1) return { kind: 'committed', version: versions[n] ?? 0 };
        return { kind: 'conflict', current: readSubscriptionText(id, textOf(replies[n])) };
      });
    },
  };
}

/** The commit of a SUBSCRIBE; its outcome lacks the watchers of the resource, which are records of their own. */
export function subscribeCall(
  commit: SubscribeCommit,
  versionAfter: VersionAfter,
): ScriptCall<SubscribeOutcome> {
  const { id, resource, expectedVersion, next, watching, rules, sources } = commit;
  const shard = shardOfId(id);
  const version = versionAfter(expectedVersion);
  const stored = sources.filter(isStored);
  const record = keys.subscription(shard, id);
  const source = (n: number): string => {
    const wanted = stored[n];
    return wanted === undefined ? record : sourceKey(wanted, shard, resource);
  };
  return {
    script: commitSubscription,
    shard,
    values: [
      record,
      keys.watchers(shard, resource),
      keys.due(shard),
      keys.winfo(shard, resource),
      keys.dirty(shard),
      keys.rules(shard, resource),
      source(0),
      source(1),
      source(2),
      id,
      versionText(expectedVersion),
      next === undefined ? '' : printSubscription(version, next),
      next === undefined ? '' : livesUntil(next),
      next !== undefined && watchedPackage(next.package) !== undefined ? '1' : '',
      watching === undefined ? '' : printWatcherChange(watching),
      resource,
      String(shard),
      DIRTY_LIMIT,
      rules === undefined ? '-' : versionText(rules),
      String(stored.length),
    ],
    read: (reply) => {
      const [kind, value] = listOf(reply);
      switch (textOf(kind)) {
        case 'committed': {
          const state = readParts(resource, stored, listOf(value));
          return { kind: 'committed', version: next === undefined ? 0 : version, state };
        }
        case 'rules':
          return { kind: 'rules', rules: readRulesText(textOf(value)) };
        default:
          return { kind: 'conflict', current: readSubscriptionText(id, textOf(value)) };
      }
    },
  };
}
