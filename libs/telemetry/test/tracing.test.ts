import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as semantic from '@opentelemetry/semantic-conventions';
import { describe, expect, it } from 'vitest';
import {
  ATTRIBUTES,
  createTracing,
  noSpan,
  noTracing,
  NOT_SAMPLED,
  printTraceparent,
  readTraceparent,
  traceIds,
} from '../src/index.ts';
import type { SpanLine, Tracing } from '../src/index.ts';

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const UNSAMPLED = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';

async function consoleTracing(
  env: Record<string, string> = {},
): Promise<{ tracing: Tracing; spans: SpanLine[] }> {
  const spans: SpanLine[] = [];
  const tracing = await createTracing({
    service: 'rollcall-test',
    env: { OTEL_TRACES_EXPORTER: 'console', ...env },
    write: (line) => spans.push(JSON.parse(line) as SpanLine),
  });
  return { tracing, spans };
}

describe('traceparent (W3C Trace Context §3.2)', () => {
  const check = (text: string | undefined, read: boolean): void => {
    expect(readTraceparent(text) !== undefined, text).toBe(read);
  };
  it('is read strictly and printed back', () => {
    const parent = readTraceparent(PARENT);
    expect(parent && printTraceparent(parent)).toBe(PARENT);
    check(undefined, false);
    check('', false);
    check(PARENT.toUpperCase(), false);
    check(`${PARENT}-00`, false);
    check(PARENT.replace(/^00/, '01') + '-later', true);
    check(PARENT.replace(/^00/, 'ff'), false);
    check(`00-${'0'.repeat(32)}-b7ad6b7169203331-01`, false);
    check(`00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`, false);
    check(`01${'-'.repeat(1_000)}`, false);
  });
});

describe('tracing that is off', () => {
  it('is the same object each time, whatever the environment does not say', async () => {
    for (const env of [
      {},
      { OTEL_TRACES_EXPORTER: 'none' },
      { OTEL_TRACES_EXPORTER: 'otlp', OTEL_SDK_DISABLED: 'true' },
    ]) {
      expect(await createTracing({ service: 's', env })).toBe(noTracing);
    }
    expect(noTracing.start('x', {}, undefined)).toBe(noSpan);
    expect(noTracing.run('x', {}, PARENT, () => noTracing.current())).toBeUndefined();
    expect(noSpan.within(() => 5)).toBe(5);
    expect(noTracing.shutdown()).toBe(noTracing.shutdown());
  });
});

describe('O04 tracing that is on', () => {
  it('O04 continues the trace that came in and hands itself on', async () => {
    const { tracing, spans } = await consoleTracing();
    let inner: string | undefined;
    tracing.run('outer', { 'sip.request.method': 'REGISTER' }, PARENT, () => {
      inner = tracing.current();
      tracing.run('inner', {}, undefined, () => undefined, 'client');
    });
    const [second, first] = spans;
    expect(first).toMatchObject({
      span: 'outer',
      service: 'rollcall-test',
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      parent_span_id: 'b7ad6b7169203331',
      attributes: { 'sip.request.method': 'REGISTER' },
      status: 'ok',
    });
    expect(inner).toBe(`00-${String(first?.trace_id)}-${String(first?.span_id)}-01`);
    expect(second).toMatchObject({
      span: 'inner',
      kind: 'client',
      parent_span_id: first?.span_id,
      trace_id: first?.trace_id,
    });
  });

  it('O04 ends a span when its promise settles, and keeps the context over awaits', async () => {
    const { tracing, spans } = await consoleTracing();
    await tracing.run('slow', {}, undefined, async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(spans).toEqual([]);
      tracing.annotate({ 'rollcall.outcome': 'committed' });
    });
    expect(spans[0]).toMatchObject({ span: 'slow', attributes: { 'rollcall.outcome': 'committed' } });
    expect(spans[0]?.duration_us).toBeGreaterThan(3_000);
    expect(tracing.current()).toBeUndefined();
  });

  it('O04 marks what throws or rejects, and passes the error on', async () => {
    const { tracing, spans } = await consoleTracing();
    const boom = (): never => {
      throw new RangeError('boom');
    };
    expect(() => tracing.run('a', {}, undefined, boom)).toThrow('boom');
    await expect(tracing.run('b', {}, undefined, async () => Promise.resolve().then(boom))).rejects.toThrow(
      'boom',
    );
    expect(spans.map((span) => [span.span, span.status, span.attributes['error.type']])).toEqual([
      ['a', 'error', 'RangeError'],
      ['b', 'error', 'RangeError'],
    ]);
  });

  it('O04 spans of callback code are ended by hand', async () => {
    const { tracing, spans } = await consoleTracing();
    const span = tracing.start('forward', {}, PARENT, 'client');
    expect(span.within(() => tracing.current())).toBe(span.traceparent);
    span.set({ 'sip.response.status_code': 200 });
    expect(spans).toEqual([]);
    span.end();
    expect(spans[0]).toMatchObject({ span: 'forward', attributes: { 'sip.response.status_code': 200 } });
  });

  it('samples by ratio, and follows the decision that came in', async () => {
    const { tracing, spans } = await consoleTracing({ OTEL_TRACES_SAMPLER_ARG: '0' });
    tracing.run('root', {}, undefined, () => expect(tracing.current()).toMatch(/-00$/));
    tracing.run('unsampled', {}, UNSAMPLED, () => undefined);
    tracing.run('sampled', {}, PARENT, () => undefined);
    expect(spans.map((span) => span.span)).toEqual(['sampled']);
  });

  it('O04 samples whole traces: the share that is asked for, each with all of its spans', async () => {
    const { tracing, spans } = await consoleTracing({ OTEL_TRACES_SAMPLER_ARG: '0.1' });
    let made = 0;
    const facts = (): { 'sip.request.method': string } => {
      made += 1;
      return { 'sip.request.method': 'REGISTER' };
    };
    for (let i = 0; i < 2_000; i += 1) {
      const edge = tracing.start('edge', facts, undefined, 'server');
      await edge.within(async () => {
        await Promise.resolve();
        // Inside, and where only the text arrives, nothing is decided anew.
        tracing.run('inside', {}, undefined, () => undefined);
        tracing.run('registrar', {}, edge.traceparent, () => undefined);
      });
      edge.end();
    }
    const traces = new Set(spans.map((span) => span.trace_id));
    expect(traces.size).toBeGreaterThan(120);
    expect(traces.size).toBeLessThan(290);
    expect(spans.length).toBe(3 * traces.size);
    expect(made).toBe(traces.size);
  });

  it('O04 what is not sampled says so to whoever is asked next, and to no log', async () => {
    const { tracing } = await consoleTracing({ OTEL_TRACES_SAMPLER: 'parentbased_always_off' });
    const span = tracing.start('edge', {}, undefined);
    expect([span.recording, span.traceparent]).toEqual([false, NOT_SAMPLED]);
    expect(readTraceparent(NOT_SAMPLED)?.flags).toBe(0);
    expect(span.within(() => tracing.current())).toBe(NOT_SAMPLED);
    expect(traceIds(NOT_SAMPLED)).toEqual({});
    const sampled = tracing.start('edge', {}, PARENT);
    expect([sampled.recording, traceIds(sampled.traceparent)['trace_id']]).toEqual([
      true,
      '0af7651916cd43dd8448eb211c80319c',
    ]);
  });

  it('O06 refuses exporters, samplers and ratios that it cannot serve, naming the key', async () => {
    const env = (more: Record<string, string>) =>
      createTracing({ service: 's', env: { OTEL_TRACES_EXPORTER: 'console', ...more } });
    await expect(env({ OTEL_TRACES_EXPORTER: 'zipkin' })).rejects.toMatchObject({
      key: 'OTEL_TRACES_EXPORTER',
    });
    await expect(env({ OTEL_TRACES_SAMPLER: 'some' })).rejects.toMatchObject({ key: 'OTEL_TRACES_SAMPLER' });
    await expect(env({ OTEL_TRACES_SAMPLER_ARG: '1.5' })).rejects.toMatchObject({
      key: 'OTEL_TRACES_SAMPLER_ARG',
    });
    await expect(env({ OTEL_RESOURCE_ATTRIBUTES: 'a=%E0%A4%A' })).rejects.toMatchObject({
      key: 'OTEL_RESOURCE_ATTRIBUTES',
    });
  });

  it('O04 sends to an OTLP collector over HTTP', async () => {
    const received: { path: string; length: number }[] = [];
    const collector = createServer((request, response) => {
      let length = 0;
      request.on('data', (chunk: Buffer) => (length += chunk.length));
      request.on('end', () => {
        received.push({ path: request.url ?? '', length });
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    const { port } = collector.address() as AddressInfo;
    const tracing = await createTracing({
      service: 'rollcall-test',
      env: { OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${String(port)}` },
    });
    tracing.run('x', {}, undefined, () => undefined);
    await tracing.shutdown();
    collector.closeAllConnections();
    collector.close();
    expect(received[0]?.path).toBe('/v1/traces');
    expect(received[0]?.length).toBeGreaterThan(50);
  });
});

describe('attribute names', () => {
  it('O04 are those of the OpenTelemetry semantic conventions wherever these have one', () => {
    const known = new Set(Object.values(semantic));
    for (const name of Object.values(ATTRIBUTES)) {
      if (!name.startsWith('sip.') && !name.startsWith('rollcall.')) expect(known, name).toContain(name);
    }
  });
});
