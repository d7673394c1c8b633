import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NetworkPolicyIngressRule } from 'kubernetes-types/networking/v1.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  CHART,
  componentOf,
  containerOf,
  helm,
  type KubernetesObject,
  NAMESPACE,
  podSpec,
  RELEASE,
  Rendered,
  selects,
  SITE_SECRET,
} from './kubernetes.ts';
import { listensOn, SCHEMAS, SERVICE_NAMES, stopSeconds } from './services.ts';
import { ROOT } from './tools.ts';
import { typeErrors } from './type-check.ts';

const CI = join(CHART, 'ci');
const VALUE_SETS: Readonly<Record<string, readonly string[]>> = {
  defaults: [],
  ...Object.fromEntries(
    readdirSync(CI).map((file) => [file.replace('.yaml', ''), ['--values', join(CI, file)]]),
  ),
};
const rendered: Record<string, Rendered> = {};

beforeAll(() => {
  for (const [name, values] of Object.entries(VALUE_SETS)) rendered[name] = Rendered.from(...values);
});

describe.each(Object.keys(VALUE_SETS))('O05 the Helm chart with the values %s', (name) => {
  const chart = () => rendered[name]!;

  it('lints strictly', () => {
    const { ok, text } = helm('lint', '--strict', CHART, ...VALUE_SETS[name]!);
    expect(text).toContain('0 chart(s) failed');
    expect(ok).toBe(true);
  });

  it('makes objects that Kubernetes 1.30 knows, field by field', () => {
    expect(typeErrors(chart().objects)).toEqual([]);
  });

  it('gives no two objects one name', () => {
    const names = chart().objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(names).toEqual([...new Set(names)]);
    for (const { metadata } of chart().objects) expect(metadata.name.length).toBeLessThan(64);
  });

  it.each(SERVICE_NAMES)(
    'gives %s an environment that its schema takes, and opens what it listens on',
    (service) => {
      const container = containerOf(chart().workload(service));
      const env = chart().environment(container);
      expect(SCHEMAS[service].problems(env)).toEqual([]);
      const own = new Set(SCHEMAS[service].rows.map((row) => row.env));
      const shared = new Set(['ROLLCALL_SECRET']);
      const strangers = (container.env ?? [])
        .map((one) => one.name)
        .filter((one) => one.startsWith('ROLLCALL_') && !own.has(one) && !shared.has(one));
      expect(strangers).toEqual([]);
      const opened = (container.ports ?? []).map(
        ({ protocol, containerPort }) => `${(protocol ?? 'TCP').toLowerCase()}/${String(containerPort)}`,
      );
      expect(opened.sort()).toEqual(listensOn(service, env));
    },
  );

  it.each(SERVICE_NAMES)(
    'probes %s where it answers, and does not kill it for a Redis that is away',
    (service) => {
      const { ports, startupProbe, livenessProbe, readinessProbe } = containerOf(chart().workload(service));
      const env = chart().environment(containerOf(chart().workload(service)));
      const paths = [startupProbe, livenessProbe, readinessProbe].map((probe) => {
        const port = ports?.find((one) => one.name === probe?.httpGet?.port);
        expect(String(port?.containerPort)).toBe(env['ROLLCALL_HTTP_PORT']);
        return probe?.httpGet?.path;
      });
      expect(paths).toEqual(['/healthz', '/healthz', '/readyz']);
      // The kubelet asks the pod's address: a loopback listener would never be healthy.
      expect(env['ROLLCALL_HTTP_HOST']).toBe(env['POD_IP']);
    },
  );

  it.each(SERVICE_NAMES)('gives %s the time that its drain takes', (service) => {
    const spec = podSpec(chart().workload(service));
    const container = containerOf(chart().workload(service));
    const pause = container.lifecycle?.preStop?.sleep?.seconds ?? 0;
    // What is left of the grace time when SIGTERM comes is more than the process gives itself to stop.
    expect((spec.terminationGracePeriodSeconds ?? 30) - pause).toBeGreaterThan(
      stopSeconds(service, chart().environment(container)),
    );
    expect(pause).toBeGreaterThanOrEqual(5);
  });

  it.each(SERVICE_NAMES)('runs %s without rights that it has no use for', (service) => {
    const spec = podSpec(chart().workload(service));
    expect(spec).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(containerOf(chart().workload(service))).toMatchObject({
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
    });
  });

  it('sends every Service, budget and scaler to pods that exist', () => {
    const pods = chart()
      .workloads()
      .map((one) => ({ ...one.spec!.template, workload: one }));
    for (const service of chart().all('Service')) {
      const behind = pods.filter((pod) => selects(service.spec?.selector, pod.metadata?.labels));
      expect(behind, service.metadata?.name).toHaveLength(1);
      const named = new Set(
        behind[0]!.spec!.containers[0]!.ports?.map((port) => `${port.name ?? ''}/${port.protocol ?? 'TCP'}`),
      );
      for (const port of service.spec?.ports ?? [])
        expect(named).toContain(`${String(port.targetPort)}/${port.protocol ?? ''}`);
    }
    for (const budget of chart().all('PodDisruptionBudget')) {
      expect(
        pods.filter((pod) => selects(budget.spec?.selector?.matchLabels, pod.metadata?.labels)),
      ).toHaveLength(1);
    }
    for (const { spec } of chart().all('HorizontalPodAutoscaler')) {
      const scaled = chart()
        .workloads()
        .find(
          (one) => one.kind === spec?.scaleTargetRef.kind && one.metadata?.name === spec?.scaleTargetRef.name,
        );
      // Set by both, Helm and the scaler would pull at it in turn.
      expect(scaled?.spec).not.toHaveProperty('replicas');
    }
  });

  it('lets the edges find registrars and presence by headless Services', () => {
    const env = chart().environment(containerOf(chart().workload('edge')));
    for (const [variable, service] of [
      ['ROLLCALL_REGISTRARS', 'registrar'],
      ['ROLLCALL_PRESENCES', 'presence'],
    ] as const) {
      const found = chart().one('Service', `-${service}`);
      expect(found.spec?.clusterIP).toBe('None');
      const port = found.spec?.ports?.find((one) => one.name === 'inner')?.port;
      expect(env[variable]).toBe(`dns:${found.metadata?.name ?? ''}.${NAMESPACE}.svc:${String(port)}`);
    }
  });
});

describe('O05 the Helm chart', () => {
  it('is held against the types of Kubernetes by a check that finds what is wrong', () => {
    const [service] = rendered['defaults']!.all('Service');
    const errorsWith = (more: object) =>
      typeErrors([{ ...service, spec: { ...service?.spec, ...more } } as KubernetesObject]).join('\n');
    expect(errorsWith({})).toBe('');
    expect(errorsWith({ clusterIp: 'None' })).toContain('clusterIp');
    expect(errorsWith({ ports: [{ port: '5060' }] })).toContain(
      "'string' is not assignable to type 'number'",
    );
  });

  it('keeps the source address of phones, and can part UDP from TCP', () => {
    const outer = (set: string) =>
      rendered[set]!.all('Service').filter(
        (service) => service.metadata?.labels?.['rollcall/outer'] === 'true',
      );
    const [both] = outer('defaults');
    expect(both?.spec).toMatchObject({ type: 'LoadBalancer', externalTrafficPolicy: 'Local' });
    expect(both?.spec?.ports?.map((port) => port.protocol).sort()).toEqual(['TCP', 'UDP']);
    const split = outer('everything');
    expect(split.map((service) => new Set(service.spec?.ports?.map((port) => port.protocol)).size)).toEqual([
      1, 1,
    ]);
  });

  it('puts the DaemonSet on the addresses of its nodes and tells phones of them', () => {
    const edge = rendered['daemonset']!.workload('edge');
    expect(podSpec(edge)).toMatchObject({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' });
    const env = rendered['daemonset']!.environment(containerOf(edge));
    expect(env['ROLLCALL_SIP_UDP']).toBe(`0.0.0.0:5060/${env['HOST_IP'] ?? ''}:5060`);
    expect(env['ROLLCALL_EDGE_ID']).toMatch(/^node-/);
  });

  it('lets the outside reach the edges alone, and our services alone reach Redis', () => {
    for (const set of ['defaults', 'everything', 'daemonset']) {
      const chart = rendered[set]!;
      const open: string[] = [];
      for (const workload of chart.workloads()) {
        const labels = workload.spec?.template.metadata?.labels;
        const policies = chart
          .all('NetworkPolicy')
          .filter((policy) => selects(policy.spec?.podSelector.matchLabels, labels));
        expect(policies, componentOf(workload)).toHaveLength(1);
        expect(policies[0]!.spec?.policyTypes).toEqual(['Ingress']);
        for (const rule of policies[0]!.spec?.ingress ?? []) {
          if (rule.from === undefined)
            open.push(...(rule.ports ?? []).map((port) => `${componentOf(workload)} ${String(port.port)}`));
        }
      }
      const enabled = (containerOf(chart.workload('edge')).ports ?? []).filter((port) =>
        port.name?.startsWith('sip-'),
      );
      expect(open.sort()).toEqual(enabled.map((port) => `edge ${port.name ?? ''}`).sort());
    }
    const [redis] = rendered['defaults']!.one('NetworkPolicy', '-redis').spec?.ingress ?? [];
    expect(componentsOf(redis).sort()).toEqual(['admin', 'edge', 'presence', 'registrar']);
    expect(componentsOf(rendered['defaults']!.one('NetworkPolicy', '-registrar').spec?.ingress?.[0])).toEqual(
      ['edge'],
    );
  });

  it('asks a Secret of the site for no more keys than values.yaml names', () => {
    expect(rendered['daemonset']!.all('Secret')).toEqual([]);
    const text = readFileSync(join(CHART, 'values.yaml'), 'utf8');
    for (const key of Object.keys(SITE_SECRET)) expect(text).toContain(`\`${key}\``);
  });

  it.each([
    ['a misspelt value', ['--set', 'edge.replica=3']],
    ['a port that is none', ['--set', 'opsPort=70000']],
    ['a kind that is none', ['--set', 'edge.kind=Deployment']],
    ['a short secret', ['--set', 'secrets.secret=short']],
    ['a variable that is neither ours nor of OpenTelemetry', ['--set', 'env.FOO=1']],
    ['no Redis at all', ['--set', 'redis.bundled.enabled=false']],
    ['an ingress without a host', ['--set', 'admin.ingress.enabled=true']],
    ['a replica to wait for where there is none', ['--set', 'redis.durability=replica']],
    ['TLS without a certificate', ['--set', 'edge.sip.tls.enabled=true']],
  ])('refuses %s', (_what, values) => {
    expect(helm('template', RELEASE, CHART, ...values).ok).toBe(false);
  });

  it('describes every value in its schema, and the schema describes no other', () => {
    const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Described;
    const values = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Record<string, unknown>;
    expect(undescribed(schema, values, '')).toEqual([]);
  });

  it('says in its notes what to do next', () => {
    const notes = (...values: string[]) =>
      helm('install', RELEASE, CHART, '--dry-run=client', '--namespace', NAMESPACE, ...values).text;
    expect(notes()).toContain(`helm test -n ${NAMESPACE} ${RELEASE}`);
    expect(notes()).toContain('edge.advertised is empty');
    expect(notes('--set', 'edge.advertised=sip.example.net')).not.toContain('edge.advertised is empty');
    expect(notes('--set', 'edge.kind=DaemonSet')).toContain('networkPolicy.nodeCidrs is empty');
  });

  it('has the version of the package', () => {
    const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as Record<string, unknown>;
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(chart).toMatchObject({ version, appVersion: version });
  });
});

interface Described {
  readonly properties?: Readonly<Record<string, Described>>;
}

/** The one value that is better left out than given. */
const OPTIONAL = 'outerPort';

/** Paths that are in the values but not in the schema, or the other way round. */
function undescribed(schema: Described, values: Readonly<Record<string, unknown>>, path: string): string[] {
  if (schema.properties === undefined) return [];
  const wrong: string[] = [];
  const names = new Set([...Object.keys(schema.properties), ...Object.keys(values)]);
  // Helm's own place for values of all charts.
  if (path === '') names.delete('global');
  for (const name of names) {
    const described = schema.properties[name];
    if (described === undefined || (!(name in values) && name !== OPTIONAL)) wrong.push(path + name);
    else if (typeof values[name] === 'object' && values[name] !== null)
      wrong.push(...undescribed(described, values[name] as Record<string, unknown>, `${path}${name}.`));
  }
  return wrong;
}

function componentsOf(rule: NetworkPolicyIngressRule | undefined): string[] {
  return (rule?.from ?? []).map(
    (peer) => peer.podSelector?.matchLabels?.['app.kubernetes.io/component'] ?? 'somebody else',
  );
}
