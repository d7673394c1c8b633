import { expect, it } from 'vitest';
import { edgeKilled } from '../flood/edge-kill.ts';

/** The lease of an edge, and how long another believes in it without asking again, s. */
const LEASE_S = 15;
const BELIEVED_S = 2;
/** Room for a slow machine, s. */
const SLACK_S = 10;

/** The short form of `npm run edge-kill`, which does it with 10,000 devices. */
it(
  'E11 K01 K16 an edge with hundreds of flows is killed: it is offered no longer than its lease, all devices come back and are reached',
  { timeout: 180_000 },
  async () => {
    const devices = 300;
    const { leaseS, offeredS, afterwards, backS, reached } = await edgeKilled({
      ...{ devices, away: 10, baseMs: 500, naive: 0.5 },
    });
    expect(leaseS).toBeLessThanOrEqual(LEASE_S + SLACK_S);
    expect(offeredS).toBeGreaterThan(0);
    expect(offeredS).toBeLessThanOrEqual(LEASE_S + BELIEVED_S + SLACK_S);
    // Nobody is there, and nobody is waited for.
    expect(Object.keys(afterwards)).toEqual(['480']);
    expect(backS.all).toBeGreaterThan(0);
    expect(reached).toBe(devices);
  },
);
