import { describe, expect, it } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { MemoryLocation } from '@rollcall/location';
import type { Aor, Binding, BindingChange, BindingId } from '@rollcall/location';
import { parseMessage } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import { applyReport, FlowReportHandler, isFlowReport } from '../src/on-flow-report.ts';
import { SnapshotMemory } from '../src/snapshot-memory.ts';

const AOR = 'sip:bob@example.test' as Aor;
const NOW = epochMs(1_000_000);
const clock = { now: () => NOW };

const binding = (id: string, path: string): Binding => ({
  id: id as BindingId,
  contact: `sip:bob@192.0.2.1;x=${id}`,
  params: '',
  callId: 'c',
  cseq: 1,
  path: [path],
  registeredAt: NOW,
  refreshedAt: NOW,
  expiresAt: epochMs(NOW + 60_000),
});

function report(body: string, event = 'rollcall-flow'): SipRequest {
  const parsed = parseMessage(
    `PUBLISH ${AOR} SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bK1\r\nFrom: <sip:edge@x>;tag=1\r\nTo: <${AOR}>\r\nCall-ID: 1\r\nCSeq: 1 PUBLISH\r\n` +
      `Event: ${event}\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`,
  );
  if (!parsed.ok || parsed.value.kind !== 'request') throw new Error('no request');
  return parsed.value;
}

async function handled(
  location: MemoryLocation,
  body: string,
): Promise<{ reply: string; told: BindingChange[] }> {
  const told: BindingChange[] = [];
  const log = {
    isDebug: false,
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
  };
  const handler = new FlowReportHandler({
    location,
    clock,
    memory: new SnapshotMemory(10),
    log,
    onChanges: (changes) => told.push(...changes),
  });
  const reply = await new Promise<string>((resolve) => {
    handler.handle(report(body), resolve);
  });
  return { reply, told };
}

async function stored(...bindings: Binding[]): Promise<MemoryLocation> {
  const location = new MemoryLocation(clock);
  await location.commit({ aor: AOR, expectedVersion: 0, bindings, changes: [] });
  return location;
}

describe('reports of edges on the flows of bindings', () => {
  it('E06 a binding whose flow is gone goes, as deactivated; the others stay', async () => {
    const location = await stored(binding('a', '<sip:f1@e;lr>'), binding('b', '<sip:f2@e;lr>'));
    const { reply, told } = await handled(
      location,
      JSON.stringify({ binding: 'a', path: '<sip:f1@e;lr>', state: 'gone' }),
    );
    expect(reply).toMatch(/^SIP\/2\.0 200 /);
    expect(told.map(({ kind, binding: one }) => [kind, one.id])).toEqual([['deactivated', 'a']]);
    expect((await location.read(AOR)).bindings.map(({ id }) => id)).toEqual(['b']);
  });

  it('E06 a device that has come back on another flow meanwhile is left alone', async () => {
    const location = await stored(binding('a', '<sip:new@e;lr>'));
    const { reply } = await handled(
      location,
      JSON.stringify({ binding: 'a', path: '<sip:old@e;lr>', state: 'gone' }),
    );
    expect(reply).toMatch(/^SIP\/2\.0 200 /);
    expect((await location.read(AOR)).bindings).toHaveLength(1);
  });

  it('E16 reachability goes into the record and is no change', () => {
    const one = binding('a', 'p');
    const applied = applyReport(
      { version: 1, bindings: [one] },
      { binding: 'a', path: 'p', state: 'reachable', rttMs: 12 },
      NOW,
    );
    expect(applied).toEqual({
      bindings: [{ ...one, reachability: { reachable: true, rttMs: 12, at: NOW } }],
      changes: [],
    });
  });

  it('E14 only this package of ours is taken, and nonsense is 400', async () => {
    expect(isFlowReport(report('{}'))).toBe(true);
    expect(isFlowReport(report('{}', 'presence'))).toBe(false);
    const location = await stored(binding('a', 'p'));
    for (const body of ['', 'null', '{"binding":1}', '{"binding":"a","path":"p","state":"other"}'])
      expect((await handled(location, body)).reply).toMatch(/^SIP\/2\.0 400 /);
  });
});
