import { describe, expect, it } from 'vitest';
import { planSystem } from '../src/plan.ts';

const plan = planSystem({
  ...{
    host: '127.0.0.1',
    portBase: 15_500,
    redisUrl: 'redis://127.0.0.1:15511',
    secret: 's',
    adminToken: 't',
  },
  replicas: { edge: 2, registrar: 3, presence: 2 },
  extra: { all: { A: '1' }, edge: { B: '2' } },
});

describe('what runs where', () => {
  it('every process has ports of its own, all in the block above the base', () => {
    const ports = plan.services.flatMap((service) =>
      service.ports.map((one) => `${one.transport}:${one.port}`),
    );
    expect(new Set(ports).size).toBe(ports.length);
    for (const service of plan.services) {
      for (const { port } of service.ports) {
        expect(port).toBeGreaterThanOrEqual(15_500);
        expect(port).toBeLessThan(15_560);
      }
    }
  });

  it('SIP of the first edge is on the base, over UDP and TCP', () => {
    expect(plan.sip.slice(0, 2)).toEqual([
      { transport: 'udp', host: '127.0.0.1', port: 15_500 },
      { transport: 'tcp', host: '127.0.0.1', port: 15_500 },
    ]);
    expect(plan.sip.map(({ transport }) => transport)).toEqual(['udp', 'tcp', 'ws', 'udp', 'tcp', 'ws']);
  });

  it('each edge knows every replica; additions reach whom they are for', () => {
    const edges = plan.services.filter((service) => service.kind === 'edge');
    for (const { env } of edges) {
      expect(env['ROLLCALL_REGISTRARS']?.split(',')).toHaveLength(3);
      expect(env['ROLLCALL_PRESENCES']?.split(',')).toHaveLength(2);
      expect([env['A'], env['B']]).toEqual(['1', '2']);
    }
    expect(plan.services.find((service) => service.kind === 'admin')?.env['B']).toBeUndefined();
  });
});
