import { setTimeout as sleep } from 'node:timers/promises';
import { epochMs } from '@rollcall/kernel';
import { eventsContract } from '@rollcall/events/contract';
import type { EventsUnderTest } from '@rollcall/events/contract';
import type { BindingId } from '@rollcall/location';
import { openStore } from '../../src/index.ts';
import type { ClientOptions } from '../../src/index.ts';
import type { Store } from '../../src/index.ts';
import { RedisClusterProcesses } from '../harness/redis-cluster.ts';
import { RedisProcess } from '../harness/redis-process.ts';
import { untilReady } from '../harness/until-ready.ts';

const HOUR_MS = 3_600_000;

function connected(options: ClientOptions): Promise<Store> {
  return untilReady(openStore(options));
}

async function underTest(options: ClientOptions, stop: () => Promise<void>): Promise<EventsUnderTest> {
  const store = await connected(options);
  const other = await connected(options);
  return {
    store: store.events,
    other: other.events,
    clock: store.clock,
    changeLocation: async (aor, kind, trace) => {
      const now = store.clock.now();
      const binding = {
        id: 'b1' as BindingId,
        contact: 'sip:alice@192.0.2.1',
        params: '',
        callId: 'c1',
        cseq: 1,
        path: [],
        registeredAt: now,
        refreshedAt: now,
        expiresAt: epochMs(now + HOUR_MS),
      };
      const { version } = await store.location.read(aor);
      const bindings = kind === 'registered' ? [binding] : [];
      await store.location.commit({
        aor,
        expectedVersion: version,
        bindings,
        changes: [{ kind, binding }],
        trace,
      });
      return { kind, bindingId: binding.id, contact: binding.contact };
    },
    pass: (ms) => sleep(ms),
    close: async () => {
      await store.close();
      await other.close();
      await stop();
    },
  };
}

eventsContract('Redis', async () => {
  const redis = await RedisProcess.start();
  return underTest({ url: redis.url }, () => redis.stop());
});

eventsContract('Redis Cluster', async () => {
  const cluster = await RedisClusterProcesses.start();
  return underTest({ cluster: { nodes: cluster.endpoints } }, () => cluster.stop());
});
