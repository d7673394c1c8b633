import { describe, test } from 'vitest';
import { documentTests, stateTests } from './state-tests.ts';
import { subscriptionTests, watcherTests } from './subscription-tests.ts';
import type { EventsUnderTest, Open } from './under-test.ts';
import { dirtyTests, dueTests, settleTests } from './work-tests.ts';

/**
 * The contract of the ports of events, as vitest tests; every adapter runs the very same suite. Each test works on resources
 * of its own, but `take` takes for everybody: nothing else may use the store meanwhile.
 */
export function eventsContract(name: string, makeStore: () => Promise<EventsUnderTest>): void {
  describe(`events contract: ${name}`, () => {
    let made: Promise<EventsUnderTest> | undefined;
    const open: Open = () => (made ??= makeStore());
    describe('subscriptions', () => {
      subscriptionTests(open);
    });
    describe('dirty resources', () => {
      dirtyTests(open);
    });
    describe('watchers of watchers', () => {
      watcherTests(open);
    });
    describe('what is due', () => {
      dueTests(open);
    });
    describe('claims and duties', () => {
      settleTests(open);
    });
    describe('rules and lists', () => {
      documentTests(open);
    });
    describe('publications and mailboxes', () => {
      stateTests(open);
    });
    test('closes', async () => {
      await (await open()).close?.();
    });
  });
}
