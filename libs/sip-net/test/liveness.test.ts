import { afterEach, describe, expect, it } from 'vitest';
import { AllBench, frame, HOST, register, until } from './transports-support.ts';

let bench: AllBench;
afterEach(() => bench.stop());

const PING = 0x89;
const PONG = 0xa;
const pinged = (text: string): boolean => text.includes(String.fromCharCode(PING, 0));

describe('RFC 5626 §4.4, §5.4: a flow that was promised a keep-alive', () => {
  it.each(['tcp', 'tls'] as const)(
    'K25 %s: is closed when none comes, and lives on by CRLFCRLF',
    async (transport) => {
      bench = await new AllBench(HOST, [transport], { idleMs: 7_200_000 }).start();
      const [silent, lively, free] = [
        await bench.raw(transport),
        await bench.raw(transport),
        await bench.raw(transport),
      ];
      for (const client of [silent, lively, free]) {
        client.send(register(transport));
        const { flow } = await bench.user.requests.next();
        if (client !== free) flow.expectKeepAlive?.(120_000);
      }
      for (let i = 0; i < 3; i += 1) {
        lively.send('\r\n\r\n');
        await until(() => bench.front.counters.keepAlives === i + 1, 10_000);
        bench.clock.turn(60_000);
      }
      await until(() => silent.closed, 15_000);
      expect(bench.front.counters.closedSilent).toBe(1);
      expect(lively.closed || free.closed).toBe(false);
      expect(bench.user.closed.all).toHaveLength(1);
    },
  );
});

describe('RFC 7118 §6: a WebSocket is asked whether it lives', () => {
  it.each(['ws', 'wss'] as const)(
    'E04 %s: who answers the ping stays, who does not is gone',
    async (transport) => {
      bench = await new AllBench(HOST, [transport], { pingMs: 30_000, pongMs: 20_000 }).start();
      const [dead, alive] = [await bench.raw(transport), await bench.raw(transport)];
      for (const client of [dead, alive]) {
        await client.upgrade();
        client.send(frame(register(transport)));
        await bench.user.requests.next();
      }
      bench.clock.turn(31_000);
      await until(() => pinged(dead.text) && pinged(alive.text), 15_000);
      alive.send(frame('', { opcode: PONG }));
      bench.clock.turn(15_000);
      alive.send(frame('', { opcode: PONG }));
      await until(() => bench.front.counters.keepAlives === 0, 1_000);
      bench.clock.turn(6_000);
      await until(() => dead.closed, 15_000);
      expect(bench.front.counters.closedSilent).toBe(1);
      expect(alive.closed).toBe(false);
      expect(bench.front.sizes().connections).toBe(1);
    },
  );

  it('a browser-like client answers by itself and stays for hours', async () => {
    bench = await new AllBench(HOST, ['ws'], { pingMs: 30_000, pongMs: 20_000, idleMs: 3_600_000 }).start();
    const { wire } = await bench.open('ws');
    wire.send(register('ws'));
    const { flow } = await bench.user.requests.next();
    const { receivedAt } = flow as unknown as { receivedAt: number };
    bench.clock.turn(1_800_000);
    await until(() => (flow as unknown as { receivedAt: number }).receivedAt > receivedAt, 15_000);
    expect(flow.open).toBe(true);
  });
});

describe('idle', () => {
  it('a stream on which nothing has come for the idle time is closed, whatever was sent', async () => {
    bench = await new AllBench(HOST, ['tcp'], { idleMs: 600_000 }).start();
    const client = await bench.raw('tcp');
    client.send(register('tcp'));
    const { flow } = await bench.user.requests.next();
    bench.clock.turn(500_000);
    flow.send(register('tcp'));
    bench.clock.turn(101_000);
    await until(() => client.closed, 15_000);
    expect(bench.front.counters.closedSilent).toBe(1);
  });

  it.each(['tcp', 'tls', 'ws', 'wss'] as const)(
    'K20 %s: one that never says a word is closed sooner',
    async (transport) => {
      bench = await new AllBench(HOST, [transport], { firstByteMs: 10_000 }).start();
      const client = await bench.raw(transport);
      if (transport === 'ws' || transport === 'wss') await client.upgrade();
      await until(() => bench.front.sizes().connections === 1, 10_000);
      bench.clock.turn(10_100);
      await until(() => bench.front.counters.closedIdle === 1, 10_000);
      await until(() => client.closed || client.text.length > 0, 10_000);
      expect(bench.front.sizes().connections).toBe(0);
    },
  );
});
