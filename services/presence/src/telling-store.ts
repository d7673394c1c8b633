import type { PublicationCommit, PublicationOutcome } from '@rollcall/events';
import type { EventStore } from './ports.ts';
import type { Records } from './records.ts';
import type { ShardWorker } from './shard-worker.ts';

/** Watchers that a replica tells itself of a publication that came to it; more are told by all replicas through the stream. */
const TELLS = 16;

/**
 * The store as who publishes sees it: where few watch, the replica that took the publication tells them at once, with the state
 * that it has in hand. The duty to do so stands in the store, so that another replica does it when this one dies.
 */
export function tellingStore(
  store: EventStore,
  records: Records,
  worker: ShardWorker,
): Pick<EventStore, 'readPublications' | 'commitPublications'> {
  return {
    readPublications: (resource) => store.readPublications(resource),
    commitPublications: async (commit: PublicationCommit): Promise<PublicationOutcome> => {
      const { learnt } = records;
      const outcome = await store.commitPublications({ ...commit, tells: TELLS });
      if (outcome.kind === 'committed' && outcome.telling !== undefined)
        void worker.tell(commit, outcome.version, outcome.telling, learnt);
      return outcome;
    },
  };
}
