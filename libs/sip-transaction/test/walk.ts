import { expect } from 'vitest';
import { type Effect, type Machine, step } from '../src/index.ts';

/** An effect as the tests write it: `send`, `start J`, `again G`. */
export const effectName = (effect: Effect): string =>
  'timer' in effect ? `${effect.kind} ${effect.timer}` : effect.kind;

/** One row of a table: in this state, on this event, go there and do this. */
export type Row<S, E> = readonly [from: S, event: E, to: S, ...effects: string[]];

/** Checks a row against the table, and notes that it has been checked. */
export function checkRow<S extends string, E extends string>(
  machine: Machine<S, E>,
  seen: Set<string>,
  row: Row<S, E>,
): void {
  const [from, event, to, ...effects] = row;
  const transition = step(machine, from, event);
  expect(transition.to ?? from).toBe(to);
  expect(transition.effects.map(effectName)).toEqual(effects);
  seen.add(`${from} ${event}`);
}

/** All rows of a table as `state event`. */
export function rowsOf<S extends string, E extends string>(machine: Machine<S, E>): string[] {
  return Object.entries(machine.states as Record<string, Record<string, unknown>>).flatMap(
    ([state, events]) => Object.keys(events).map((event) => `${state} ${event}`),
  );
}
