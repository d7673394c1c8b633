import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually } from '@rollcall/testkit';
import { FaultSystem } from './fault-system.ts';

// A file of its own: a process knows one layout of the store, and the checker beside resharded one.
const CLEAN = { lost: 0, duplicated: 0, wrongExpiry: 0, alien: 0, examples: [] };
const PATIENCE_MS = 60_000;

describe.each(['sentinel', 'cluster'] as const)('%s, durability replica', (topology) => {
  it(`F02 K06 kill -9 of the primary, cut off from its replica before (${topology}): nothing acknowledged is lost; served again without a restart`, async () => {
    const system = await FaultSystem.start({ topology, durability: 'replica', devices: 60, thinkMs: 100 });
    try {
      for (const cut of [false, true]) {
        await system.devices.acknowledge(300);
        if (cut) {
          const refused = system.devices.count(503);
          await system.topology.cutReplicas();
          await eventually(
            'refusals for want of a replica',
            () => system.devices.count(503) > refused,
            PATIENCE_MS,
          );
        }
        await system.strike(async () => {
          const killing = system.topology.killPrimary();
          await sleep(100);
          system.topology.mendReplicas();
          await killing;
          await system.topology.heal();
        });
        expect(await system.check()).toEqual(CLEAN);
        await system.devices.acknowledge(100);
      }
      expect(system.devices.withoutRetryAfter).toBe(0);
      for (const { process } of system.system.services) expect(process.exited).toBe(false);
    } finally {
      await system.stop();
    }
  }, 180_000);
});
