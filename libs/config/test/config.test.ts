import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  boolean,
  choice,
  configOrExit,
  defineConfig,
  describeConfig,
  endpoint,
  integer,
  list,
  listener,
  loadConfig,
  number,
  opsSettings,
  optional,
  otelEnvironment,
  printableConfig,
  redisAddress,
  redisSettings,
  replicas,
  ROLLCALL_NAMES,
  secret,
  secretSettings,
  sentinels,
  string,
  url,
} from '../src/index.ts';
import type { Environment, Field } from '../src/index.ts';

const SECRET = '0123456789abcdef';
const definition = defineConfig({
  ...opsSettings,
  ...redisSettings,
  ...secretSettings,
  edgeId: { env: 'ROLLCALL_EDGE_ID', type: optional(string()), help: 'Names this edge.' },
  sipUdp: { env: 'ROLLCALL_SIP_UDP', type: list(listener()), default: [], help: 'UDP listeners.' },
  registrars: {
    env: 'ROLLCALL_REGISTRARS',
    type: replicas(),
    default: { kind: 'static', endpoints: [{ host: '127.0.0.1', port: 5070 }] },
    help: 'Registrars.',
  },
});

function check<T>(field: Field<T>, text: string, expected: T | { error: string }): void {
  const parsed = field.parse(text);
  if (parsed.ok) expect(parsed.value).toEqual(expected);
  else expect({ error: parsed.error }).toEqual(expected);
}

function line(env: Environment, wanted = definition): { code: number; text: string } {
  const said: string[] = [];
  let code = 0;
  const exit = (status: number): never => {
    code = status;
    throw new Error('exit');
  };
  expect(() =>
    configOrExit('rollcall-edge', wanted, { env, print: (text) => said.push(text), exit }),
  ).toThrow('exit');
  return { code, text: said.join('\n') };
}

describe('fields', () => {
  it('reads what it says it reads', () => {
    check(integer({ min: 0, max: 65_535 }), '5060', 5060);
    check(integer({ min: 0, max: 65_535 }), '65536', { error: 'is not an integer between 0 and 65535' });
    check(integer({ min: 0, max: 9 }), '0x5', { error: 'is not an integer between 0 and 9' });
    check(integer({ min: -3, max: 9 }), '-3', -3);
    check(number({ min: 0, max: 1 }), '0.25', 0.25);
    check(number({ min: 0, max: 1 }), '1e3', { error: 'is not a number between 0 and 1' });
    check(boolean(), 'Yes', true);
    check(boolean(), 'maybe', { error: 'is not true or false' });
    check(choice(['a', 'b']), 'b', 'b');
    check(choice(['a', 'b']), 'c', { error: 'is not one of a, b' });
    check(list(), 'a, b', ['a', 'b']);
    check(list(integer({ min: 0, max: 9 })), '1,x', {
      error: 'holds "x", which is not an integer between 0 and 9',
    });
    check(url(['redis:']), 'redis://h:1/0', 'redis://h:1/0');
    check(url(['redis:']), 'http://h', { error: 'is not a URL (redis:)' });
    check(secret({ minLength: 4 }), 'abc', { error: 'is shorter than 4 characters' });
  });

  it('reads endpoints, listeners and replicas, IPv6 in brackets', () => {
    check(endpoint(), '[::1]:5060', { host: '::1', port: 5060 });
    check(endpoint(), '::1:5060', { error: 'is not host:port' });
    check(endpoint(), 'a.example:70000', { error: 'is not host:port' });
    check(listener(), '0.0.0.0:5060', { host: '0.0.0.0', port: 5060 });
    check(listener(), '0.0.0.0:5060/sip.example.test', {
      host: '0.0.0.0',
      port: 5060,
      advertised: { address: 'sip.example.test', port: 5060 },
    });
    check(listener(), '[::]:5060/[2001:db8::1]:5080', {
      host: '::',
      port: 5060,
      advertised: { address: '2001:db8::1', port: 5080 },
    });
    check(listener(), '0.0.0.0:5060/', {
      error: 'is not host:port[/advertised[:port][/IPv4 advertised[:port]]]',
    });
    check(replicas(), 'dns:registrar.svc:5070', { kind: 'dns', name: 'registrar.svc', port: 5070 });
    check(replicas(), 'a:1, b:2', {
      kind: 'static',
      endpoints: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
    });
    expect(
      replicas().print({
        kind: 'static',
        endpoints: [
          { host: '::1', port: 1 },
          { host: 'b', port: 2 },
        ],
      }),
    ).toBe('[::1]:1,b:2');
  });
});

describe('redisAddress', () => {
  const base = { redisUrl: 'redis://u:p%40w@h:6379/2', redisSentinels: undefined, redisCluster: undefined };
  it('is one Redis, Sentinels or a Cluster, with the credentials of the URL', () => {
    const nodes = [{ host: 'a', port: 1 }];
    expect(redisAddress(base)).toEqual({ url: base.redisUrl });
    expect(redisAddress({ ...base, redisCluster: nodes })).toEqual({
      cluster: { nodes, username: 'u', password: 'p@w' },
    });
    check(sentinels(), 'main@a:1', { name: 'main', sentinels: nodes });
    check(sentinels(), 'a:1', { error: 'is not name@host:port,host:port' });
    expect(redisAddress({ ...base, redisSentinels: { name: 'main', sentinels: nodes } })).toEqual({
      sentinel: { name: 'main', sentinels: nodes, username: 'u', password: 'p@w', db: 2 },
    });
  });
});

describe('loadConfig', () => {
  it('types the configuration by its fields and fills in defaults', () => {
    const loaded = loadConfig(definition, {
      ROLLCALL_SECRET: SECRET,
      ROLLCALL_HTTP_PORT: ' 8080 ',
      ROLLCALL_EDGE_ID: '',
    });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
    expect(loaded.value).toMatchObject({
      httpPort: 8080,
      logLevel: 'info',
      secret: SECRET,
      edgeId: undefined,
    });
    expectTypeOf(loaded.value.httpPort).toEqualTypeOf<number>();
    expectTypeOf(loaded.value.edgeId).toEqualTypeOf<string | undefined>();
    expectTypeOf(loaded.value.logLevel).toEqualTypeOf<'debug' | 'info' | 'warn' | 'error'>();
  });

  it('collects all problems', () => {
    const loaded = loadConfig(definition, { ROLLCALL_HTTP_PORT: 'abc', ROLLCALL_LOG_LEVEL: 'loud' });
    if (loaded.ok) throw new Error('accepted');
    expect(loaded.error.map((problem) => problem.key)).toEqual([
      'ROLLCALL_HTTP_PORT',
      'ROLLCALL_LOG_LEVEL',
      'ROLLCALL_SECRET',
    ]);
  });

  it('lets another service have its names, and Kubernetes its service links', () => {
    const env = {
      ROLLCALL_SECRET: SECRET,
      ROLLCALL_ADMIN_TOKEN: 'x',
      ROLLCALL_EDGE_SERVICE_HOST: '10.0.0.1',
      ROLLCALL_EDGE_PORT_5060_UDP_ADDR: '10.0.0.1',
      ROLLCALL_EDGE_PORT: 'udp://10.0.0.1:5060',
      OTEL_SERVICE_NAME: 'x',
      PATH: '/bin',
    };
    expect(loadConfig(definition, env).ok).toBe(true);
  });
});

describe('O06 wrong configuration is one line that names the key, and exit 78', () => {
  const fine = { ROLLCALL_SECRET: SECRET };

  it('O06 a value of the wrong type', () => {
    expect(line({ ...fine, ROLLCALL_HTTP_PORT: 'abc' })).toEqual({
      code: 78,
      text: 'rollcall-edge: ROLLCALL_HTTP_PORT: "abc" is not an integer between 0 and 65535',
    });
  });

  it('O06 a required name that is not set', () => {
    expect(line({})).toEqual({
      code: 78,
      text: 'rollcall-edge: ROLLCALL_SECRET: is not set; it wants secret of at least 16 characters',
    });
  });

  it('O06 a misspelt name, with a guess at what was meant', () => {
    expect(line({ ...fine, ROLLCALL_HTTP_PROT: '1' }).text).toBe(
      'rollcall-edge: ROLLCALL_HTTP_PROT: is not a setting of Rollcall; did you mean ROLLCALL_HTTP_PORT?',
    );
  });

  it('O06 several problems are still one line', () => {
    expect(line({ ...fine, ROLLCALL_HTTP_PORT: 'abc\n\u001b[31m', ROLLCALL_LOG_LEVEL: 'x' }).text).toBe(
      'rollcall-edge: ROLLCALL_HTTP_PORT: "abc\\n\\u001b[31m" is not an integer between 0 and 65535 (also wrong: ROLLCALL_LOG_LEVEL)',
    );
  });

  it('O06 never shows a secret, nor a bad attempt at one', () => {
    expect(line({ ROLLCALL_SECRET: 'hunter2' }).text).not.toContain('hunter2');
    expect(line({ ...fine, ROLLCALL_REDIS_URL: 'redsi://:hunter2@h' }).text).not.toContain('hunter2');
  });
});

describe('the registry of names', () => {
  const root = new URL('../../../', import.meta.url);
  const files = [
    ...readdirSync(new URL('services/', root)).map((service) => `services/${service}/src/config.ts`),
    'libs/config/src/common.ts',
  ].filter((file) => existsSync(new URL(file, root)));

  it('O06 has each name that some service reads, so that services can share one environment', () => {
    const read = files.flatMap((file) =>
      Array.from(
        readFileSync(new URL(file, root), 'utf8').matchAll(/env: '(ROLLCALL_\w+)'/g),
        (match) => match[1],
      ),
    );
    expect(read.length).toBeGreaterThan(10);
    expect(read.filter((name) => !ROLLCALL_NAMES.has(name ?? ''))).toEqual([]);
  });
});

describe('what is shown of a configuration', () => {
  it('masks secrets and passwords in URLs', () => {
    const loaded = loadConfig(definition, {
      ROLLCALL_SECRET: SECRET,
      ROLLCALL_REDIS_URL: 'redis://u:pw@h:6379/1',
    });
    if (!loaded.ok) throw new Error('refused');
    const shown = printableConfig(definition, loaded.value);
    expect(shown).toMatchObject({
      ROLLCALL_SECRET: '***',
      ROLLCALL_REDIS_URL: 'redis://***@h:6379/1',
      ROLLCALL_REGISTRARS: '127.0.0.1:5070',
    });
    expect(shown).not.toHaveProperty('ROLLCALL_EDGE_ID');
  });

  it('describes each setting for the documentation', () => {
    const rows = describeConfig(definition);
    expect(rows.find((row) => row.env === 'ROLLCALL_HTTP_PORT')).toEqual({
      env: 'ROLLCALL_HTTP_PORT',
      type: 'integer between 0 and 65535',
      default: '9090',
      required: false,
      help: 'Port of /healthz, /readyz and /metrics; 0 takes any free port, which the ready line then names.',
    });
    expect(rows.find((row) => row.env === 'ROLLCALL_SECRET')).toMatchObject({
      required: true,
      default: undefined,
    });
    expect(rows.find((row) => row.env === 'ROLLCALL_EDGE_ID')).toMatchObject({
      required: false,
      default: undefined,
    });
  });

  it('hands only the OpenTelemetry names to the tracing', () => {
    expect(otelEnvironment({ OTEL_TRACES_EXPORTER: 'otlp', ROLLCALL_SECRET: SECRET, PATH: '/bin' })).toEqual({
      OTEL_TRACES_EXPORTER: 'otlp',
    });
  });
});
