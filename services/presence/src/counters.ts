import type { RefusalLabel } from '@rollcall/events';

/** What may happen to a subscription; the label of a metric. */
export type SubscriptionChange =
  'created' | 'refreshed' | 'ended' | 'fetched' | 'repeated' | 'expired' | 'dropped';

/** Plain fields that the handlers bump and the metrics read. */
export class PresenceCounters {
  readonly requests: Record<'SUBSCRIBE' | 'PUBLISH' | 'other', number> = {
    SUBSCRIBE: 0,
    PUBLISH: 0,
    other: 0,
  };
  readonly refusals: Partial<Record<RefusalLabel, number>> = {};
  /** By package and change. */
  readonly changes = new Map<string, number>();
  /** NOTIFYs by package and what became of them: a status, `timeout`, `unavailable`. */
  readonly notifications = new Map<string, number>();
  conflicts = 0;
  dirtyEntries = 0;
  takenOver = 0;

  refused(label: RefusalLabel): void {
    this.refusals[label] = (this.refusals[label] ?? 0) + 1;
  }

  changed(event: string, change: SubscriptionChange): void {
    bump(this.changes, `${event} ${change}`);
  }

  notified(event: string, outcome: string): void {
    bump(this.notifications, `${event} ${outcome}`);
  }
}

function bump(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
