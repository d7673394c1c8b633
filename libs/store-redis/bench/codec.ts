/*
 * What printing and reading one location record costs, in µs of CPU.
 *
 *   node --import tsx --conditions=@rollcall/source libs/store-redis/bench/codec.ts
 */
import { epochMs } from '@rollcall/kernel';
import type { Aor, Binding, BindingId } from '@rollcall/location';
import { expirySpan, firstVersion, printRecord, readRecord } from '../src/codec/record.ts';

const TURNS = 300_000;
const now = 1_795_342_776_456;
const aor = 'sip:u00001@example.test' as Aor;
const binding: Binding = {
  id: 'Zk3v9fQ2x1Ab' as BindingId,
  contact: 'sip:u00001@127.0.0.1:40000',
  params: '',
  callId: '1-12345@127.0.0.1-abcdef012345',
  cseq: 2,
  path: ['<sip:e1~mabc123~u0-7f000001-40000~Zk3v9fQ2x1AbCd@127.0.0.1:15500;lr;ob>'],
  userAgent: 'Acme Softphone 5.4.2',
  source: 'udp:127.0.0.1:40000',
  registeredAt: epochMs(now),
  refreshedAt: epochMs(now),
  expiresAt: epochMs(now + 3_600_000),
};
const version = firstVersion(now);
const stored = Buffer.from(printRecord(aor, version, binding.expiresAt, [binding]), 'latin1');

function cost(name: string, work: (turn: number) => number): void {
  let sum = 0;
  let best = Infinity;
  for (let round = 0; round < 5; round += 1) {
    const start = process.cpuUsage();
    for (let turn = 0; turn < TURNS; turn += 1) sum += work(turn);
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / TURNS);
  }
  console.log(
    `${name.padEnd(6)} ${best.toFixed(2)} µs   (${String(stored.length)} octets, ${String(sum % 7)})`,
  );
}

cost('print', (turn) => {
  const bindings = [{ ...binding, cseq: turn & 1023 }];
  const { first } = expirySpan(bindings);
  return printRecord(aor, version + turn, first, bindings).charCodeAt(5);
});
cost('read', () => readRecord(aor, stored.toString('latin1')).bindings.length);
