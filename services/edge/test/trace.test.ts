import { createSocket } from 'node:dgram';
import type { Aor } from '@rollcall/location';
import type { EdgeStatus } from '@rollcall/trace';
import { afterEach, describe, expect, it } from 'vitest';
import { EdgeTrace } from '../src/trace/edge-trace.ts';
import type { EdgeTraceOptions } from '../src/trace/edge-trace.ts';
import { HepSender } from '../src/trace/hep-sender.ts';
import { internalRoutes } from '../src/trace/internal-routes.ts';

const ALICE = 'sip:alice@example.test' as Aor;
const FLOW = {
  id: 'u0-7f000001-5071',
  transport: 'udp' as const,
  local: { address: '0.0.0.0', port: 5060 },
  remote: { address: '192.0.2.1', port: 5071 },
  advertised: { address: '198.51.100.1', port: 15_060 },
};
const message = (callId: string, user = 'alice'): string =>
  [
    'REGISTER sip:example.test SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.1:5071;branch=z9hG4bK1',
    `From: <sip:${user}@example.test>;tag=1`,
    `To: <sip:${user}@example.test>`,
    `Call-ID: ${callId}`,
    'CSeq: 1 REGISTER',
    'Authorization: Digest username="alice", response="0123456789abcdef"',
    '\r\n',
  ].join('\r\n');

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

function edgeTrace(fields: Partial<EdgeTraceOptions> = {}): EdgeTrace {
  const trace = new EdgeTrace({
    ...{ edge: 'e1', sample: 100, rate: 1_000_000, entries: 1_000, bytes: 1_000_000 },
    aliases: () => new Map(),
    refusing: () => undefined,
    ...fields,
  });
  closing.push(() => {
    trace.stop();
  });
  return trace;
}

const routesOf = (trace: EdgeTrace) =>
  internalRoutes('token', { trace, status: () => ({ id: 'e1' }) as EdgeStatus, streams: () => [] });
const ask = async (trace: EdgeTrace, method: string, path: string, query = '', body?: unknown) =>
  routesOf(trace).handle({ method, path, query: new URLSearchParams(query), body });

describe('A10 what an edge keeps', () => {
  it('A10 taps are out while nothing is sampled, and in while somebody is traced', async () => {
    const trace = edgeTrace({ sample: 0 });
    const taps = () =>
      [trace.front, trace.registrar, trace.presence, trace.inner].map(({ tap }) => tap !== undefined);
    expect(taps()).toEqual([false, false, false, false]);
    expect(trace.isTraced(message('c1'))).toBe(false);
    const until = trace.now() + 60_000_000;
    const started = await ask(trace, 'PUT', '/internal/traces', '', { aor: ALICE, until });
    expect(started).toEqual({ status: 200, value: { traces: [{ aor: ALICE, until }] } });
    expect(taps()).toEqual([true, true, true, true]);
    trace.front.tap?.received(message('c1'), FLOW);
    trace.front.tap?.received(message('c2', 'bob'), FLOW);
    expect(trace.ring.size).toBe(1);
    expect([trace.isTraced(message('c1')), trace.isTraced(message('c2', 'bob'))]).toEqual([true, false]);
    await ask(trace, 'DELETE', '/internal/traces', `aor=${ALICE}`);
    expect(taps()).toEqual([false, false, false, false]);
  });

  it('A10 tells what it kept, with the advertised address, the rule of a refusal, and no credentials', async () => {
    const trace = edgeTrace({ refusing: () => ({ label: 'unauthorized', section: 'RFC 3261 §22.2' }) });
    trace.front.tap?.received(message('c1'), FLOW);
    trace.front.tap?.sent('SIP/2.0 401 Unauthorized\r\nCall-ID: c1\r\n\r\n', FLOW);
    trace.registrar.tap?.sent(message('c1'), FLOW);
    trace.front.tap?.received(message('c2', 'bob'), FLOW);
    const found = (await ask(trace, 'GET', '/internal/trace', `aor=${ALICE}`))?.value as {
      entries: { hop: string; direction: string; local: object; octets: string; rule?: object }[];
    };
    expect(found.entries.map(({ hop, direction }) => `${hop} ${direction}`)).toEqual([
      'phone in',
      'phone out',
      'registrar out',
    ]);
    expect(found.entries[0]?.local).toEqual({ address: '198.51.100.1', port: 5060 });
    expect(found.entries.map(({ rule }) => rule !== undefined)).toEqual([false, true, false]);
    expect(JSON.stringify(found)).not.toContain('0123456789abcdef');
    expect((await ask(trace, 'GET', '/internal/trace'))?.status).toBe(400);
    expect((await ask(trace, 'PUT', '/internal/traces', '', { aor: 7 }))?.status).toBe(400);
    expect(await ask(trace, 'GET', '/internal/other')).toBeUndefined();
  });

  it('A10 sends it to a capture server as HEP3, masked', async () => {
    const collector = createSocket('udp4');
    await new Promise<void>((resolve) => {
      collector.bind(0, '127.0.0.1', resolve);
    });
    closing.push(() => collector.close());
    const packet = new Promise<Buffer>((resolve) => {
      collector.once('message', resolve);
    });
    const hep = new HepSender({ host: '127.0.0.1', port: collector.address().port, agent: 2001 });
    closing.push(() => {
      hep.close();
    });
    const trace = edgeTrace({
      onKept: (entry) => {
        hep.send(entry);
      },
    });
    trace.front.tap?.received(message('call-1'), FLOW);
    const bytes = await packet;
    expect(bytes.subarray(0, 4).toString()).toBe('HEP3');
    expect(bytes.readUInt16BE(4)).toBe(bytes.length);
    const chunks = new Map<number, Buffer>();
    for (let at = 6; at < bytes.length; at += bytes.readUInt16BE(at + 4)) {
      chunks.set(bytes.readUInt16BE(at + 2), bytes.subarray(at + 6, at + bytes.readUInt16BE(at + 4)));
    }
    expect([...(chunks.get(3) ?? [])]).toEqual([192, 0, 2, 1]);
    expect([chunks.get(7)?.readUInt16BE(), chunks.get(8)?.readUInt16BE()]).toEqual([5071, 5060]);
    expect(chunks.get(17)?.toString()).toBe('call-1');
    expect(chunks.get(15)?.toString()).toBe(message('call-1').replace('0123456789abcdef', 'x'.repeat(16)));
  });
});
