import type { PublicationCommit, PublicationOutcome } from '@rollcall/events';
import type { EventStore } from './ports.ts';
import type { Records } from './records.ts';
import type { ShardWorker } from './shard-worker.ts';
import type { Teller } from './teller.ts';
import { TELLS } from './watched.ts';
import type { Watched } from './watched.ts';

/**
 * The store as who publishes sees it: where few watch, the replica that took the publication tells them at once, with the state
 * that it has in hand. Where it remembers all that this takes, it claims the watchers with the publication itself. Otherwise the
 * duty to tell them stands in the store, so that another replica does it when this one dies.
 */
export function tellingStore(
  store: EventStore,
  records: Records,
  watched: Watched,
  teller: Teller,
  worker: ShardWorker,
): Pick<EventStore, 'readPublications' | 'commitPublications'> {
  return {
    readPublications: (resource) => store.readPublications(resource),
    commitPublications: async (commit: PublicationCommit): Promise<PublicationOutcome> => {
      const { learnt } = records;
      const claiming = commit.changed
        ? await teller.claims(commit, watched.find(commit.resource))
        : undefined;
      const { resource, expectedVersion, publications, changed, packages, trace } = commit;
      const claims = claiming?.claims;
      const outcome = await store.commitPublications({
        resource,
        expectedVersion,
        publications,
        changed,
        packages,
        trace,
        tells: TELLS,
        claims,
      });
      if (outcome.kind !== 'committed') return outcome;
      const { told, telling } = outcome;
      if (told !== undefined && claiming !== undefined) claiming.told(told);
      else if (telling !== undefined) {
        watched.learn(resource, telling);
        void worker.tell(commit, outcome.version, telling, learnt);
      }
      return outcome;
    },
  };
}
