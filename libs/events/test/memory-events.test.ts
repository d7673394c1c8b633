import { epochMs } from '@rollcall/kernel';
import { MemoryLocation } from '@rollcall/location';
import type { BindingId } from '@rollcall/location';
import { MemoryEvents } from '../src/index.ts';
import { eventsContract } from '../src/contract/index.ts';

eventsContract('memory', () => {
  let time = 1_800_000_000_000;
  const clock = { now: () => epochMs(time) };
  const store = new MemoryEvents(clock, new MemoryLocation(clock));
  return Promise.resolve({
    store,
    other: store,
    clock,
    changeLocation: (resource, kind, trace) => {
      const change = { kind, bindingId: 'b1' as BindingId, contact: 'sip:alice@192.0.2.1' };
      store.touch(resource, 'location', [change], trace);
      return Promise.resolve(change);
    },
    pass: (ms) => {
      time += ms;
      return Promise.resolve();
    },
  });
});
