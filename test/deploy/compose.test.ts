import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { listensOn, SCHEMAS, SERVICE_NAMES, stopSeconds, type ServiceName } from './services.ts';
import { ROOT } from './tools.ts';

interface ComposeService {
  readonly image?: string;
  readonly build?: { context: string; dockerfile: string; args: Readonly<Record<string, string>> };
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly command?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly network_mode?: string;
  readonly profiles?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly stop_grace_period?: string;
}
interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** What the head of the file asks for in `.env`. */
const GIVEN: Readonly<Record<string, string>> = {
  ROLLCALL_SECRET: 'f'.repeat(64),
  ROLLCALL_ADMIN_TOKEN: 'e'.repeat(64),
  GRAFANA_PASSWORD: 'd'.repeat(16),
};

/** Interpolation as Compose does it: ${NAME}, ${NAME:-default}, ${NAME:?message}. */
function interpolate(text: string, given: Readonly<Record<string, string>>): string {
  return text.replace(
    /\$\{(\w+)(?::([-?])([^}]*))?\}/g,
    (_whole, name: string, kind: string | undefined, rest: string) => {
      const value = given[name];
      if (value !== undefined) return value;
      if (kind === '-') return rest;
      throw new Error(`${name} has no value`);
    },
  );
}

const source = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
const compose = parse(interpolate(source, GIVEN), { merge: true }) as Compose;
const ours = Object.entries(compose.services).filter(([, service]) => service.build !== undefined);

function serviceOf(service: ComposeService): ServiceName {
  const found = SERVICE_NAMES.find((name) => name === service.build?.args['SERVICE']);
  if (found === undefined) throw new Error('an image without a service');
  return found;
}

function environmentOf(service: ComposeService): Record<string, string> {
  return Object.fromEntries(
    Object.entries(service.environment ?? {}).map(([name, value]) => [name, String(value)]),
  );
}

describe('O05 docker-compose.yml', () => {
  it('is what the Compose specification allows', () => {
    const require = createRequire(import.meta.url);
    const folder = dirname(require.resolve('dclint/package.json'));
    const text = readFileSync(join(folder, 'schemas/compose.schema.json'), 'utf8');
    // The draft's own name is with http, as Ajv knows it.
    const schema = JSON.parse(
      text.replace('https://json-schema.org/draft-07', 'http://json-schema.org/draft-07'),
    ) as object;
    const ajv = new Ajv({ strict: false, allErrors: true });
    formats.default(ajv);
    const valid = ajv.compile(schema);
    expect(valid(compose), JSON.stringify(valid.errors)).toBe(true);
    expect(valid({ ...compose, services: { edge: { imagine: 'edge' } } })).toBe(false);
  });

  it('runs each of the four services', () => {
    expect(ours.map(([, service]) => serviceOf(service))).toEqual(expect.arrayContaining([...SERVICE_NAMES]));
  });

  it.each(ours.map(([name]) => name))('gives %s an environment that its schema takes', (name) => {
    const service = compose.services[name]!;
    expect(SCHEMAS[serviceOf(service)].problems(environmentOf(service))).toEqual([]);
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
    const grace = Number(/^(\d+)s$/.exec(service.stop_grace_period ?? '')?.[1]);
    expect(grace).toBeGreaterThan(stopSeconds(serviceOf(service), environmentOf(service)));
    expect(existsSync(join(ROOT, service.build!.context, service.build!.dockerfile))).toBe(true);
  });

  it('publishes ports that are listened on, and the admin interface to this machine only', () => {
    for (const [name, service] of ours) {
      const listening = listensOn(serviceOf(service), environmentOf(service));
      for (const port of service.ports ?? []) {
        const [, address, target, protocol] = /^(?:([\d.]+):)?\d+:(\d+)\/(udp|tcp)$/.exec(port) ?? [];
        expect(listening, `${name} ${port}`).toContain(`${protocol ?? ''}/${target ?? ''}`);
        if (serviceOf(service) === 'admin') expect(address).toBe('127.0.0.1');
      }
    }
    expect(compose.services['redis']?.ports).toBeUndefined();
  });

  it('finds every service by a name and a port that exist', () => {
    for (const [name, service] of ours) {
      const env = environmentOf(service);
      for (const [variable, kind] of [
        ['ROLLCALL_REGISTRARS', 'registrar'],
        ['ROLLCALL_PRESENCES', 'presence'],
      ] as const) {
        const told = env[variable];
        if (told === undefined) continue;
        const [, host, port] = /^dns:(\w+):(\d+)$/.exec(told) ?? [];
        const target = compose.services[host ?? '']!;
        expect(serviceOf(target), name).toBe(kind);
        expect(listensOn(kind, environmentOf(target))).toContain(`tcp/${port ?? ''}`);
      }
      expect(new URL(env['ROLLCALL_REDIS_URL'] ?? '').hostname).toBe('redis');
      expect(compose.services).toHaveProperty(new URL(env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '').hostname);
    }
  });

  it('keeps the admin port of drachtio on loopback, shared by one edge', () => {
    const { drachtio } = compose.services;
    const [, edge] = Object.entries(compose.services).find(([name]) => name === 'edge-drachtio')!;
    expect(drachtio?.command).toEqual(expect.arrayContaining(['--address', '127.0.0.1']));
    expect((drachtio?.ports ?? []).join(' ')).not.toContain('9022');
    expect(edge.network_mode).toBe('service:drachtio');
    expect(edge.ports).toBeUndefined();
    for (const one of [drachtio, edge]) expect(one?.profiles).toEqual(['drachtio']);
    const env = environmentOf(edge);
    expect(env['ROLLCALL_ENGINE']).toBe('drachtio');
    const at = drachtio?.command?.indexOf('--secret') ?? -1;
    expect(env['ROLLCALL_DRACHTIO_SECRET']).toBe(drachtio?.command?.[at + 1]);
  });

  it('mounts files that exist and volumes that are declared', () => {
    for (const service of Object.values(compose.services)) {
      for (const volume of service.volumes ?? []) {
        const [from = ''] = volume.split(':');
        if (from.startsWith('.')) expect(existsSync(join(ROOT, from)), from).toBe(true);
        else expect(compose.volumes).toHaveProperty(from);
      }
      const needed = service.depends_on ?? [];
      for (const other of Array.isArray(needed) ? (needed as string[]) : Object.keys(needed)) {
        expect(compose.services).toHaveProperty(other);
      }
    }
  });

  it('names the version of every image', () => {
    for (const [name, { image }] of Object.entries(compose.services))
      expect(image, name).toMatch(/:v?\d+\.\d+/);
  });

  it('does not start without its secrets', () => {
    for (const name of Object.keys(GIVEN)) {
      const { [name]: _left, ...others } = GIVEN;
      expect(() => interpolate(source, others)).toThrow(`${name} has no value`);
    }
  });

  it('lets Prometheus scrape what has metrics, under the names that dashboard and alerts use', () => {
    const prometheus = parse(readFileSync(join(ROOT, 'deploy/otel/prometheus.yaml'), 'utf8')) as {
      scrape_configs: { job_name: string; dns_sd_configs: { names: string[]; port: number }[] }[];
    };
    const jobs = prometheus.scrape_configs.map(({ job_name: job, dns_sd_configs: [found] }) => {
      const [name = ''] = found?.names ?? [];
      const service = compose.services[name]!;
      expect(listensOn(serviceOf(service), environmentOf(service))).toContain(`tcp/${String(found?.port)}`);
      return job;
    });
    expect(jobs.sort()).toEqual(SERVICE_NAMES.map((name) => `rollcall-${name}`).sort());
  });
});
