export { eventsContract } from './events-contract.ts';
export * from './samples.ts';
export type { EventsStore, EventsUnderTest } from './under-test.ts';
