import { expect, it } from 'vitest';
import { slowlySent } from '../flood/slow-senders.ts';

/** The short form of `npm run abuse -- slow`. */
it(
  'F06 K20 connections that send a byte now and then, handshakes that never end: phones connect and register meanwhile',
  { timeout: 120_000 },
  async () => {
    const report = await slowlySent({ senders: { tcp: 300, tls: 100, ws: 100 }, seconds: 4, everyMs: 1000 });
    expect(report.ended).toEqual([]);
    expect(report.phones.failed).toBe(0);
    expect(report.phones.tried).toBeGreaterThan(3);
    expect(report.mostConnections).toBeGreaterThan(300);
  },
);
