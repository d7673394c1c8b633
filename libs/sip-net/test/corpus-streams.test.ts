import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AllBench, frame, HOST, register, soon, until } from './transports-support.ts';

const STREAMS = ['tcp', 'tls', 'ws', 'wss'] as const;
type Stream = (typeof STREAMS)[number];
const fixtures = new URL('../../sip/fixtures/', import.meta.url);
const messages = ['rfc4475', 'rfc5118', 'phones'].flatMap((folder) =>
  readdirSync(new URL(`${folder}/`, fixtures))
    .filter((name) => name.endsWith('.sip'))
    .map((name) => readFileSync(new URL(`${folder}/${name}`, fixtures), 'latin1')),
);

let bench: AllBench;
beforeAll(async () => {
  bench = await new AllBench(HOST, STREAMS).start();
});
afterAll(() => bench.stop());

/** A fixed sequence that looks like chance: where messages are cut. */
function cutter(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => (state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff) % Math.max(1, limit);
}

/** What the front has made of it: nothing else may differ when the same octets come in other pieces. */
function counted(): readonly number[] {
  const { counters } = bench.front;
  return [
    ...[counters.requestsIn, counters.responsesIn, counters.malformedRefused, counters.malformedDropped],
    ...[counters.closedFraming, counters.tooLarge, counters.keepAlives],
  ];
}

async function play(transport: Stream, bytes: Buffer, cuts: readonly number[]): Promise<readonly number[]> {
  const client = await bench.raw(transport);
  if (transport === 'ws' || transport === 'wss') await client.upgrade();
  const before = counted();
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    client.send(bytes.subarray(at, cut));
    at = cut;
    await new Promise(setImmediate);
  }
  client.socket.end();
  let closed = false;
  client.socket.once('close', () => (closed = true));
  await soon(() => closed || client.socket.destroyed);
  await until(() => bench.front.sizes().connections === 0, 10_000);
  return counted().map((value, i) => value - (before[i] ?? 0));
}

describe('K17 torture messages and phones over every stream', () => {
  it.each(STREAMS)(
    'K17 B24 over %s, cut at three places: the same as whole, and nobody is harmed',
    async (transport) => {
      const below = cutter(17);
      for (const text of messages) {
        const bytes = transport === 'ws' || transport === 'wss' ? frame(text) : Buffer.from(text, 'latin1');
        const cuts = [below(bytes.length), below(bytes.length), below(bytes.length)].sort((a, b) => a - b);
        const whole = await play(transport, bytes, []);
        expect(await play(transport, bytes, cuts), text.slice(0, 200)).toEqual(whole);
      }
      const probe = await bench.open(transport);
      probe.wire.send(register(transport));
      expect(await probe.inbox.next('response', 10_000)).toMatch(/^SIP\/2\.0 200 /);
      probe.wire.close();
      expect(bench.front.counters.userErrors).toBe(0);
    },
    60_000,
  );
});
