import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bench, reply, request, startFront, TcpPhone, UdpPhone, until } from './support.ts';

interface Row {
  readonly file: string;
  readonly title: string;
  readonly udp: readonly (string | readonly string[])[];
}

const fixtures = new URL('../../sip/fixtures/', import.meta.url);
const rows = JSON.parse(readFileSync(new URL('INDEX.json', fixtures), 'utf8')) as Row[];
const octets = (row: Row): string => readFileSync(new URL(row.file, fixtures), 'latin1');

/** What a front may do with a message that a user agent would answer with one of these. */
function allowed(row: Row): Set<string> {
  const outcomes = new Set<string>();
  if (row.udp.length === 0 || row.udp.some((status) => status.length === 0)) outcomes.add('silence');
  for (const status of row.udp) {
    if (['400', '413', '416', '501', '505', '513'].includes(String(status))) outcomes.add('refused');
    if (!['400', '505'].includes(String(status)) && status.length > 0) outcomes.add('handed up');
  }
  return outcomes;
}

let bench: Bench;
beforeAll(async () => {
  bench = await startFront();
  bench.user.onEach = (transaction) => {
    reply(transaction, 404);
  };
});
afterAll(() => bench.stop());

function seen(): { refused: number; silence: number; up: number } {
  const { counters } = bench.front;
  return {
    refused: counters.malformedRefused,
    silence: counters.malformedDropped + counters.strayResponses,
    up: bench.user.requests.all.length + bench.user.acks.all.length + counters.retransmissionsAbsorbed,
  };
}

describe('B24 the torture messages of RFC 4475 and RFC 5118', () => {
  it.each(rows.map((row) => [row.file, row.title, row] as const))(
    'B24 UDP %s (%s)',
    async (_file, _title, row) => {
      const phone = await UdpPhone.open(bench);
      const before = seen();
      phone.send(octets(row));
      await until(() => JSON.stringify(seen()) !== JSON.stringify(before));
      const after = seen();
      const outcome =
        after.refused > before.refused ? 'refused' : after.up > before.up ? 'handed up' : 'silence';
      expect([...allowed(row)]).toContain(outcome);
      expect(after.refused - before.refused + (after.silence - before.silence) + (after.up - before.up)).toBe(
        1,
      );
    },
  );

  it('B24 over TCP, whole and in pieces: none harms the process, nothing is kept', async () => {
    for (const row of rows) {
      const text = octets(row);
      for (const cut of [text.length, 1 + Math.floor(text.length / 3)]) {
        const phone = await TcpPhone.open(bench);
        phone.send(text.slice(0, cut));
        await new Promise(setImmediate);
        phone.send(text.slice(cut));
        phone.socket.end();
      }
    }
    const probe = await TcpPhone.open(bench);
    probe.send(request({ via: 'SIP/2.0/TCP 192.0.2.77;branch=z9hG4bKprobe' }));
    expect((await probe.response()).status).toBe(404);
    await until(() => bench.front.sizes().connections === 1);
    expect(bench.front.counters.userErrors).toBe(0);
    expect(bench.front.sizes().pending).toBe(0);
  });
});
