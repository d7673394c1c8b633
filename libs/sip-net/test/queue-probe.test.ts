import { describe, expect, it } from 'vitest';
import { PROBE_MS, QueueProbe } from '../src/queue-probe.ts';
import { pause, startFront } from './support.ts';

/** A socket of which the test says what becomes of datagrams. */
function queue(): {
  readonly probe: QueueProbe;
  readonly sent: Buffer[];
  readonly turn: (ms: number) => void;
} {
  let now = 0;
  const sent: Buffer[] = [];
  const probe = new QueueProbe(
    (octets) => sent.push(octets),
    () => now,
  );
  return { probe, sent, turn: (ms) => (now += ms) };
}

describe('F03 how long datagrams wait', () => {
  it('F03 a probe says how long it waited; one on its way counts with its age', () => {
    const { probe, sent, turn } = queue();
    probe.tick();
    turn(30);
    expect(probe.takes(Buffer.from(sent[0] ?? ''))).toBe(true);
    expect(probe.waits()).toBe(30);
    probe.tick();
    turn(200);
    expect(probe.waits()).toBe(200);
    probe.tick();
    expect(sent).toHaveLength(2);
    probe.takes(sent[1] ?? Buffer.of());
    turn(1_000);
    expect(probe.waits()).toBe(200);
  });

  it('F03 what was lost has waited longest; where none comes back nothing is known', () => {
    const { probe, sent, turn } = queue();
    for (let i = 0; i < 10; i += 1) {
      probe.tick();
      turn(PROBE_MS);
    }
    expect(probe.waits()).toBe(0);
    probe.takes(sent[0] ?? Buffer.of());
    for (let i = 0; i < 20; i += 1) {
      probe.tick();
      turn(PROBE_MS);
    }
    expect(probe.waits()).toBe(500);
  });

  it('F03 nobody else can send a probe', () => {
    const { probe, sent } = queue();
    probe.tick();
    const [own = Buffer.of()] = sent;
    for (const other of [Buffer.of(own[0] ?? 0), Buffer.alloc(own.length, own[0]), Buffer.from('REGISTER')])
      expect(probe.takes(other)).toBe(false);
  });

  it('F03 a socket at rest shows no wait, and its probes are no datagrams of others', async () => {
    const bench = await startFront();
    await pause(PROBE_MS * 3);
    bench.clock.turn(1);
    expect(bench.front.datagramsWait()).toBeLessThan(500);
    expect(bench.front.counters.datagramsIn).toBe(0);
    expect(bench.front.counters.notSip).toBe(0);
    await bench.stop();
  });
});
