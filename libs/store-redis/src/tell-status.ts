import type { StoreStatus } from './client.ts';
import type { Store } from './store.ts';

interface StatusLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** One line when the store goes, one when it is back. To be called when the first attempt to connect has ended; one that failed is told at once. */
export function tellStatus(store: Pick<Store, 'client' | 'onStatus'>, log: StatusLog): void {
  let wasUp = true;
  const tell = (status: StoreStatus): void => {
    if (status.up === wasUp) return;
    wasUp = status.up;
    if (status.up) log.info({}, 'the store is back');
    else log.warn({ reason: status.reason }, 'the store is away, requests get 503');
  };
  tell(store.client.status);
  store.onStatus(tell);
}
