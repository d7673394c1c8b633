import type { StoreStatus } from './client.ts';
import type { Store } from './store.ts';

interface StatusLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** One line when the store goes, one when it is back; the same when it takes no writes for want of what the durability asks. Also one when a stream has an entry of a later version. To be called when the first attempt to connect has ended; one that failed is told at once. */
export function tellStatus(store: Pick<Store, 'client' | 'laterEntries' | 'onStatus'>, log: StatusLog): void {
  let wasUp = true;
  let wasShort = false;
  const tell = (status: StoreStatus): void => {
    const short = status.up ? status.short : undefined;
    if (short !== undefined && !wasShort)
      log.warn({ reason: short }, 'the store takes no writes, they get 503');
    if (wasShort && status.up && short === undefined) log.info({}, 'the store takes writes again');
    wasShort = short !== undefined;
    if (status.up === wasUp) return;
    wasUp = status.up;
    if (status.up) log.info({}, 'the store is back');
    else log.warn({ reason: status.reason }, 'the store is away, requests get 503');
  };
  tell(store.client.status);
  store.onStatus(tell);
  store.laterEntries.onFirst(() => {
    log.warn({}, 'a stream has entries of a later version, they are left to it');
  });
}
