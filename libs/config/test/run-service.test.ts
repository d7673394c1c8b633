import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defineConfig, opsSettings, runService, secret } from '../src/index.ts';
import type { RunnableService, ServiceSeam } from '../src/index.ts';

const SECRET = 'that nobody may read anywhere at all';

class TracingConfigError extends Error {}
class Exited extends Error {}

/** A process that is looked at instead of ended, with a service that does as it is told. */
class FakeProcess {
  readonly printed: string[] = [];
  readonly logged: { level: string; message: string; fields: object }[] = [];
  readonly exits: number[] = [];
  readonly listeners = new Map<string, (fact: unknown) => void>();
  composed = 0;
  service: RunnableService = {
    start: () => Promise.resolve({ http: 9 }),
    stop: () => Promise.resolve(),
  };
  tracing: Error | undefined;
  contradiction: string | undefined;
  /** A real exit does not return; once the service runs there is nobody left whom that would mislead. */
  #running = false;

  async run(env: Record<string, string> = {}): Promise<void> {
    const log = (level: string) => (fields: object, message: string) => {
      this.logged.push({ level, message, fields });
    };
    const tracing = { enabled: false, current: () => undefined };
    const seam: ServiceSeam = {
      env,
      print: (line) => this.printed.push(line),
      exit: (code) => {
        this.exits.push(code);
        if (!this.#running) throw new Exited();
        return undefined as never;
      },
      on: (event, listener) => this.listeners.set(event, listener),
    };
    const definition = {
      service: 'rollcall-test',
      config: defineConfig({
        ...opsSettings,
        token: { env: 'ROLLCALL_SECRET', type: secret(), default: SECRET, help: 'A secret.' },
      }),
      contradiction: () => this.contradiction,
      telemetry: {
        createLogger: () => ({ info: log('info'), error: log('error') }),
        createTracing: () =>
          this.tracing === undefined ? Promise.resolve(tracing) : Promise.reject(this.tracing),
        TracingConfigError,
      },
      compose: () => {
        this.composed += 1;
        this.#running = true;
        return this.service;
      },
    };
    await runService(definition, seam).catch((error: unknown) => {
      if (!(error instanceof Exited)) throw error;
    });
  }

  async tell(event: string, fact: unknown = event): Promise<void> {
    this.listeners.get(event)?.(fact);
    await vi.advanceTimersByTimeAsync(0);
  }

  get said(): string[] {
    return this.logged.map(({ level, message }) => `${level} ${message}`);
  }
}

let host: FakeProcess;
beforeEach(() => {
  vi.useFakeTimers();
  host = new FakeProcess();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('O01 a service that cannot start', () => {
  it('O01 has a wrong setting: one line, exit 78, nothing composed', async () => {
    await host.run({ ROLLCALL_HTTP_PORT: 'abc' });
    expect(host.exits).toEqual([78]);
    expect(host.printed).toEqual([
      'rollcall-test: ROLLCALL_HTTP_PORT: "abc" is not an integer between 0 and 65535',
    ]);
    expect(host.composed).toBe(0);
  });

  it('O01 contradicts itself, or has a wrong OTEL_ name: the same', async () => {
    host.contradiction = 'A is below B';
    await host.run();
    host.contradiction = undefined;
    host.tracing = new TracingConfigError('OTEL_TRACES_EXPORTER: no');
    await host.run();
    expect(host.exits).toEqual([78, 78]);
    expect(host.printed).toEqual(['rollcall-test: A is below B', 'rollcall-test: OTEL_TRACES_EXPORTER: no']);
    expect(host.composed).toBe(0);
  });

  it('O01 finds its port taken, tcp or udp: one line, exit 1', async () => {
    const taken = (syscall: string) =>
      Object.assign(new Error('listen EADDRINUSE'), {
        code: 'EADDRINUSE',
        address: '127.0.0.1',
        port: 5060,
        syscall,
      });
    for (const error of [taken('listen'), taken('bind'), new Error('something else')]) {
      host.service = { ...host.service, start: () => Promise.reject(error) };
      await host.run();
    }
    expect(host.exits).toEqual([1, 1, 1]);
    expect(host.printed).toEqual([
      'rollcall-test: 127.0.0.1:5060 (tcp) is already in use',
      'rollcall-test: 127.0.0.1:5060 (udp) is already in use',
      'rollcall-test: something else',
    ]);
  });
});

describe('E12 a service that runs', () => {
  it('E12 says how it is configured and where it listens, and stops in order at SIGTERM and at SIGINT', async () => {
    for (const signal of ['SIGTERM', 'SIGINT']) {
      host = new FakeProcess();
      await host.run();
      const [configured, ready] = host.logged;
      expect(configured).toMatchObject({
        message: 'configured',
        fields: { config: { ROLLCALL_SECRET: '***', ROLLCALL_LOG_LEVEL: 'info' } },
      });
      expect(ready).toEqual({ level: 'info', message: 'ready', fields: { http: 9 } });
      expect(JSON.stringify(host.logged)).not.toContain(SECRET);
      await host.tell(signal);
      expect(host.said).toEqual(['info configured', 'info ready', 'info stopping', 'info stopped']);
      expect(host.exits).toEqual([0]);
    }
  });

  it('E12 ends at once at the second signal', async () => {
    host.service.stop = () => new Promise(() => undefined);
    await host.run();
    await host.tell('SIGTERM');
    expect(host.exits).toEqual([]);
    await host.tell('SIGINT');
    expect(host.exits).toEqual([1]);
  });

  it('E12 ends when stopping takes too long, or fails', async () => {
    host.service.stop = () => new Promise(() => undefined);
    await host.run();
    await host.tell('SIGTERM');
    await vi.advanceTimersByTimeAsync(14_999);
    expect(host.exits).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(host.exits).toEqual([1]);
    expect(host.said.at(-1)).toBe('error stopping took too long');

    host = new FakeProcess();
    host.service.stop = () => Promise.reject(new Error('broken'));
    await host.run();
    await host.tell('SIGTERM');
    expect([host.exits, host.said.at(-1)]).toEqual([[1], 'error stopping failed']);
  });

  it('E12 logs what nobody caught, and ends', async () => {
    for (const event of ['uncaughtException', 'unhandledRejection']) {
      host = new FakeProcess();
      await host.run();
      const error = new Error('a bug');
      await host.tell(event, error);
      expect(host.exits).toEqual([1]);
      expect(host.logged.at(-1)).toMatchObject({ level: 'error', fields: { err: error } });
    }
  });
});

describe('O03 a service that is told to stop while it starts', () => {
  it.each<[string, () => Promise<object>]>([
    ['fails', () => Promise.reject(new Error('stopped while starting'))],
    ['comes up all the same', () => Promise.resolve({ http: 9 })],
  ])('O03 and then %s says nothing of that, and exits 0', async (_, end) => {
    let over: (ports: Promise<object>) => void = () => undefined;
    host.service = {
      start: () => new Promise((resolve) => (over = resolve)),
      stop: () => {
        over(end());
        return new Promise((resolve) => setImmediate(resolve));
      },
    };
    const running = host.run();
    await vi.advanceTimersByTimeAsync(0);
    await host.tell('SIGTERM');
    await vi.advanceTimersByTimeAsync(1);
    await running;
    expect(host.exits).toEqual([0]);
    expect(host.printed).toEqual([]);
    expect(host.said).toEqual(['info configured', 'info stopping', 'info stopped']);
  });
});
