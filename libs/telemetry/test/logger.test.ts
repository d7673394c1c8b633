import { describe, expect, it } from 'vitest';
import { createLogger, noLogger, safeText } from '../src/index.ts';
import type { LoggerOptions } from '../src/index.ts';

function capture(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const log = createLogger({
    service: 'rollcall-test',
    level: 'info',
    write: (line) => lines.push(line),
    ...options,
  });
  const last = (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown>;
  return { log, lines, last };
}

describe('the logger', () => {
  it('writes one JSON line an event with level, time, service, fields and message', () => {
    const { log, lines, last } = capture();
    log.info({ port: 5060 }, 'ready');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith('\n')).toBe(true);
    expect(last()).toMatchObject({ level: 30, service: 'rollcall-test', port: 5060, msg: 'ready' });
    expect(Date.parse(String(last()['time']))).toBeGreaterThan(0);
  });

  it('leaves out what is below its level', () => {
    const { log, lines } = capture({ level: 'warn' });
    log.info({}, 'no');
    log.debug({}, 'no');
    expect(lines).toEqual([]);
    expect(log.isDebug).toBe(false);
  });

  it('gives a child its fields, masked too', () => {
    const { log, last } = capture();
    log.child({ aor: 'sip:alice@example.test', password: 'pw' }).warn({ n: 1 }, 'x');
    expect(last()).toMatchObject({ aor: 'sip:alice@example.test', password: '***', n: 1 });
  });

  it('joins a line to the running span', () => {
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { log, last } = capture({ trace: () => trace });
    log.info({}, 'x');
    expect(last()).toMatchObject({
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      span_id: 'b7ad6b7169203331',
    });
  });

  it('shows errors with their cause', () => {
    const { log, last } = capture();
    log.error({ err: new Error('outer', { cause: new TypeError('inner') }) }, 'failed');
    expect(last()['err']).toMatchObject({
      type: 'Error',
      message: 'outer',
      cause: { type: 'TypeError', message: 'inner' },
    });
  });

  it('can be nothing', () => {
    expect(() => {
      noLogger.child({}).error({}, 'x');
    }).not.toThrow();
  });
});

describe('credentials are masked', () => {
  const check = (fields: { raw?: string } & Record<string, unknown>, secretPart: string): void => {
    const { log, lines } = capture();
    log.info(fields, `said ${fields.raw ?? ''}`);
    expect(lines[0]).not.toContain(secretPart);
    expect(lines[0]).toContain('***');
  };

  it('by field name, at any depth', () => {
    check({ password: 'hunter2' }, 'hunter2');
    check({ user: { ha1s: { MD5: 'hunter2' } } }, 'hunter2');
    check({ headers: { 'Proxy-Authorization': 'hunter2' } }, 'hunter2');
    check({ tokens: [{ Token: 'hunter2' }] }, 'hunter2');
  });

  it('inside text', () => {
    check(
      { raw: 'REGISTER sip:a SIP/2.0\r\nAuthorization: Digest response="hunter2"\r\nCSeq: 1' },
      'hunter2',
    );
    check({ raw: 'GET / with Bearer hunter2' }, 'hunter2');
    check({ raw: 'redis://user:hunter2@host:6379/0' }, 'hunter2');
    check({ raw: 'Digest username="a", response="hunter2"' }, 'hunter2');
    check({ err: new Error('cannot reach redis://:hunter2@host') }, 'hunter2');
  });
});

describe('F08 A12 hostile text stays text', () => {
  it('F08 A12 one line, no control character, no bidirectional override, neither raw nor after JSON.parse', () => {
    const { log, lines, last } = capture();
    const hostile = 'a\r\n{"level":"fatal"}\u001b[31m\u0000\u009b\u2028\u202e|"\'<img onerror=x>';
    log.info({ userAgent: hostile, [hostile]: 1 }, hostile);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
    expect(last()['userAgent']).toBe(
      'a\\u000d\\u000a{"level":"fatal"}\\u001b[31m\\u0000\\u009b\\u2028\\u202e|"\'<img onerror=x>',
    );
    expect(last()['level']).toBe(30);
  });

  it('F08 a field named __proto__ is only a field', () => {
    const { log, last } = capture();
    log.info({ given: JSON.parse('{"__proto__":{"polluted":1}}') as unknown }, 'x');
    expect(Object.keys(last()['given'] as object)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('F08 is bounded in length, width and depth', () => {
    expect(safeText('x'.repeat(100_000)).length).toBeLessThan(2_100);
    const { log, lines } = capture();
    const deep: Record<string, unknown> = {};
    deep['self'] = deep;
    log.info({ deep, wide: Array.from({ length: 10_000 }, (_, index) => index) }, 'x');
    expect(lines[0]?.length).toBeLessThan(2_000);
  });
});
