import { CHANGE_KINDS } from '@rollcall/location';
import type { BindingChange, ChangeKind } from '@rollcall/location';
import { REGISTER_REFUSALS } from '@rollcall/registration';
import type { RefusalLabel } from '@rollcall/registration';

/** How a REGISTER ended: `committed`, why nothing was to be written, or the row of the refusal table. */
export type OutcomeLabel = 'committed' | 'query' | 'repeated' | 'nothing-to-remove' | RefusalLabel;

/** What the registrar counts: plain fields, bumped on the hot path and read when somebody asks for the metrics. */
export interface RegistrarCounters {
  readonly outcomes: Record<OutcomeLabel, number>;
  readonly changes: Record<ChangeKind, number>;
  /** Commits that found another version than they expected. */
  conflicts: number;
  /** Decided on remembered bindings, and on none. */
  remembered: number;
  assumed: number;
  /** Expiries that this replica's sweeper has committed. */
  swept: number;
}

const GOOD_OUTCOMES = ['committed', 'query', 'repeated', 'nothing-to-remove'] as const;

const zeros = (labels: readonly string[]): Record<string, number> =>
  Object.fromEntries(labels.map((label) => [label, 0]));

export function zeroCounters(): RegistrarCounters {
  const labels = [...GOOD_OUTCOMES, ...Object.keys(REGISTER_REFUSALS)];
  return {
    outcomes: zeros(labels),
    changes: zeros(CHANGE_KINDS),
    conflicts: 0,
    remembered: 0,
    assumed: 0,
    swept: 0,
  };
}

export function countChanges(counters: RegistrarCounters, changes: readonly BindingChange[]): void {
  for (const { kind } of changes) counters.changes[kind] += 1;
}
