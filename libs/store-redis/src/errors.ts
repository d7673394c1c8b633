import { StoreUnavailable } from '@rollcall/location';

/** Error codes by which a server says that it cannot serve or store now; what else it refuses is a bug of the caller. */
const NOT_NOW = new Set([
  'READONLY', // we talk to a replica: the primary has moved
  'LOADING', // reading its data after a start
  'MASTERDOWN', // a replica without its primary
  'OOM', // maxmemory reached
  'MISCONF', // the last save failed: disk full
  'NOREPLICAS', // fewer replicas than min-replicas-to-write
  'CLUSTERDOWN',
  'TRYAGAIN',
  'MOVED',
  'ASK',
  'BUSY', // a script runs for too long
  'NOAUTH',
  'NOPERM',
  'WRONGPASS',
  'UNBLOCKED',
  'EXECABORT',
]);

/** What a failed call tells its caller: `StoreUnavailable` for everything that passes, the server's own error for a bug of ours. */
export function asStoreError(error: Error): Error {
  if (error instanceof StoreUnavailable) return error;
  if (error.name !== 'ReplyError') return new StoreUnavailable(`Redis: ${error.message}`, { cause: error });
  const code = error.message.slice(0, error.message.indexOf(' '));
  return NOT_NOW.has(code) ? new StoreUnavailable(`Redis: ${error.message}`, { cause: error }) : error;
}

/** ioredis asks this of every error reply; true drops the connection and finds the primary anew. */
export function movedElsewhere(error: Error): boolean {
  return error.message.startsWith('READONLY') || error.message.startsWith('MASTERDOWN');
}
