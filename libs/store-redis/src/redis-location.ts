import type {
  Aor,
  BindingChange,
  Commit,
  CommitOutcome,
  LocationReader,
  LocationSnapshot,
  LocationWriter,
} from '@rollcall/location';
import { listOf, textOf } from './call.ts';
import type { Reply } from './call.ts';
import type { StoreClient } from './client.ts';
import { decimalMs } from './codec/base36.ts';
import { changesForPresence, printChanges } from './codec/changes.ts';
import { drawVersion, expirySpan, printRecord, readRecord, versionText } from './codec/record.ts';
import { keys, MAX_SHARDS, shardKey, shardOf } from './keys.ts';
import { bulk, defineScript } from './script.ts';
import { slotOf } from './slot.ts';

const commitScript = defineScript(new URL('../scripts/commit.lua', import.meta.url), 6);
const refreshScript = defineScript(new URL('../scripts/refresh.lua', import.meta.url), 2);
const readScript = defineScript(new URL('../scripts/read-confirmed.lua', import.meta.url), 2);
const COMMIT_ARGUMENTS = 10;
const REFRESH_ARGUMENTS = 3;

/** How long a record outlives its last expiry, so that the sweeper can still tell what expired. The key's own expiry is the net under it. */
export const RECORD_GRACE_MS = 3_600_000;
/** Redis Cluster slot of each shard. */
export const SHARD_SLOTS: readonly number[] = Array.from({ length: MAX_SHARDS }, (_, n) =>
  slotOf(shardKey(n, '')),
);

/** Told once, in a later turn, with either. The error is a `StoreUnavailable`, or a bug. */
export type CommitDone = (error: Error | undefined, outcome: CommitOutcome | undefined) => void;

/** Location records in Redis: one for each AoR, changed by compare-and-set in one script and one round trip. */
export class RedisLocation implements LocationReader, LocationWriter {
  constructor(private readonly client: StoreClient) {}

  async read(aor: Aor, options?: { readonly confirmed?: boolean }): Promise<LocationSnapshot> {
    const shard = shardOf(aor);
    const slot = SHARD_SLOTS[shard] ?? 0;
    const record = keys.record(shard, aor);
    const reply =
      options?.confirmed === true && this.client.durability === 'replica'
        ? await this.client.run(readScript, slot, [record, shardKey(shard, 'mark')])
        : await this.client.command(slot, ['GET', record]);
    return readRecord(aor, textOf(reply));
  }

  commit(commit: Commit): Promise<CommitOutcome> {
    return new Promise((resolve, reject) => {
      this.commitThen(commit, (error, outcome) => {
        if (outcome !== undefined) resolve(outcome);
        else reject(error ?? new Error('a commit without outcome'));
      });
    });
  }

  /** `commit` without a promise, for the REGISTER path. */
  commitThen(commit: Commit, done: CommitDone): void {
    const { aor, bindings, expectedVersion, changes } = commit;
    const version = bindings.length === 0 ? 0 : expectedVersion === 0 ? drawVersion() : expectedVersion + 1;
    const { first, last } = expirySpan(bindings);
    const record = version === 0 ? '' : printRecord(aor, version, first, bindings);
    const onlyRefreshes = version !== 0 && expectedVersion !== 0 && isRefresh(changes);
    const onReply = (error: Error | undefined, reply: Reply): void => {
      finish(aor, version, error, reply, done);
    };
    if (!onlyRefreshes) {
      this.#commitWhole(commit, record, first, last, false, onReply);
      return;
    }
    const shard = shardOf(aor);
    const tail =
      bulk(keys.record(shard, aor)) +
      bulk(keys.watchers(shard, aor)) +
      bulk(versionText(expectedVersion)) +
      bulk(record) +
      bulk(decimalMs(last + RECORD_GRACE_MS));
    this.client.runThen(refreshScript, SHARD_SLOTS[shard] ?? 0, REFRESH_ARGUMENTS, tail, (error, reply) => {
      if (Buffer.isBuffer(reply) && reply.length === WHOLE.length && textOf(reply) === WHOLE) {
        this.#commitWhole(commit, record, first, last, true, onReply);
      } else onReply(error, reply);
    });
  }

  #commitWhole(
    { aor, expectedVersion, changes, actor, trace }: Commit,
    record: string,
    first: number,
    last: number,
    onlyRefreshes: boolean,
    onReply: (error: Error | undefined, reply: Reply) => void,
  ): void {
    const shard = shardOf(aor);
    const empty = record === '';
    const tell = changes.length > 0;
    const tail =
      bulk(keys.record(shard, aor)) +
      bulk(keys.watchers(shard, aor)) +
      bulk(keys.due(shard, aor)) +
      bulk(keys.changes(shard)) +
      bulk(keys.dirty(shard)) +
      bulk(keys.index(shard, aor)) +
      bulk(aor) +
      bulk(versionText(expectedVersion)) +
      bulk(record) +
      bulk(empty ? '' : decimalMs(last + RECORD_GRACE_MS)) +
      bulk(empty ? '' : decimalMs(first)) +
      bulk(tell ? printChanges(aor, actor, changes) : '') +
      bulk(onlyRefreshes ? '1' : '') +
      bulk(tell ? changesForPresence(changes) : '') +
      bulk(trace ?? '') +
      bulk(String(shard));
    this.client.runThen(commitScript, SHARD_SLOTS[shard] ?? 0, COMMIT_ARGUMENTS, tail, onReply);
  }
}

const WHOLE = 'whole';
const COMMITTED = 'committed';

function isRefresh(changes: readonly BindingChange[]): boolean {
  if (changes.length === 0) return false;
  for (const { kind } of changes) if (kind !== 'refreshed') return false;
  return true;
}

function finish(aor: Aor, version: number, error: Error | undefined, reply: Reply, done: CommitDone): void {
  if (error !== undefined) {
    done(error, undefined);
    return;
  }
  // The other replies are an array: the length alone tells a committed one.
  if (Buffer.isBuffer(reply) && reply.length === COMMITTED.length) {
    done(undefined, { kind: 'committed', version });
    return;
  }
  let outcome: CommitOutcome | undefined;
  let failure: Error | undefined;
  try {
    outcome = { kind: 'conflict', snapshot: readRecord(aor, textOf(listOf(reply)[1])) };
  } catch (problem) {
    failure = problem as Error;
  }
  done(failure, outcome);
}
