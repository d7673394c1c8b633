import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ALICE, Subscription, TestSystem } from '@rollcall/testkit';
import { parser } from '@prometheus-io/lezer-promql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { containerOf, Rendered } from './kubernetes.ts';
import { SERVICE_NAMES } from './services.ts';
import { ROOT } from './tools.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}
interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const alerts = (parse(read('deploy/grafana/alerts.yaml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const dashboard = JSON.parse(read('deploy/grafana/dashboard.json')) as { panels: Panel[] };
const adapter = (
  parse(read('deploy/grafana/prometheus-adapter.yaml'), { merge: true }) as {
    rules: { custom: { seriesQuery: string; name: { as: string } }[] };
  }
).rules.custom;

/** An expression with the places that Grafana fills in filled in. */
const filled = (expr: string): string => expr.replaceAll('$__rate_interval', '5m');
const expressions = [
  ...alerts.map(({ alert, expr }) => ({ where: alert, expr })),
  ...dashboard.panels.flatMap(({ title, targets }) =>
    (targets ?? []).map(({ expr }) => ({ where: title, expr: filled(expr) })),
  ),
  ...adapter.map(({ name, seriesQuery }) => ({ where: name.as, expr: seriesQuery })),
];

interface Query {
  readonly errors: number;
  readonly metrics: { readonly name: string; readonly labels: readonly string[] }[];
  /** Labels of `by (…)`. */
  readonly grouped: readonly string[];
}

/** What an expression asks for. */
function analyse(expr: string): Query {
  const metrics: { name: string; labels: string[] }[] = [];
  const grouped: string[] = [];
  let errors = 0;
  let grouping = false;
  parser.parse(expr).iterate({
    enter: ({ name, from, to, type }) => {
      const text = expr.slice(from, to);
      if (type.isError) errors += 1;
      if (name === 'Identifier') metrics.push({ name: text, labels: [] });
      if (name === 'GroupingLabels') grouping = true;
      if (name === 'LabelName') (grouping ? grouped : (metrics.at(-1)?.labels ?? [])).push(text);
    },
    leave: ({ name }) => {
      if (name === 'GroupingLabels') grouping = false;
    },
  });
  return { errors, metrics, grouped };
}

/** Labels that Prometheus and Kubernetes add to whatever is scraped. */
const SCRAPED = new Set(['job', 'instance', 'namespace', 'pod', 'le']);

describe('O04 dashboard and alerts', () => {
  const families = new Set<string>(['up']);
  const labelsOf = new Map<string, Set<string>>();
  let system: TestSystem;

  beforeAll(async () => {
    system = await TestSystem.start();
    // Something of everything, so that there are samples whose labels can be read.
    const phone = await system.phone(ALICE);
    await phone.register();
    const subscription = new Subscription(phone, { event: 'message-summary' });
    await subscription.send();
    await subscription.nextNotify();
    await system.admin.get('/v1/domains');
    for (const name of SERVICE_NAMES) {
      const response = await fetch(system.opsUrl(`${name}-1`, '/metrics'));
      for (const line of (await response.text()).split('\n')) {
        const family = /^# TYPE (\S+)/.exec(line)?.[1];
        if (family !== undefined) families.add(family);
        const [, sample, labels] = /^(\w+)\{([^}]*)\}/.exec(line) ?? [];
        if (sample === undefined) continue;
        const known = labelsOf.get(sample) ?? new Set<string>();
        for (const [, label] of (labels ?? '').matchAll(/(\w+)="/g)) known.add(label!);
        labelsOf.set(sample, known);
      }
    }
  });
  afterAll(() => system.stop());

  const familyOf = (name: string): string => name.replace(/_(bucket|count|sum)$/, '');

  it.each(expressions)('O04 $where asks for metrics and labels that exist', ({ expr }) => {
    const { errors, metrics, grouped } = analyse(expr);
    expect(errors, expr).toBe(0);
    expect(metrics.length).toBeGreaterThan(0);
    for (const { name, labels } of metrics) {
      expect(families.has(name) || families.has(familyOf(name)), `${name} is no metric of ours`).toBe(true);
      const known = labelsOf.get(name);
      if (known === undefined) continue;
      for (const label of [...labels, ...grouped]) {
        const elsewhere = metrics.some((other) => labelsOf.get(other.name)?.has(label) === true);
        expect(SCRAPED.has(label) || known.has(label) || elsewhere, `${name} has no label ${label}`).toBe(
          true,
        );
      }
    }
  });

  it('a metric or a label that does not exist is found', () => {
    expect(analyse('sum(rate(rollcall_nothing_total[5m]))').metrics[0]?.name).toBe('rollcall_nothing_total');
    expect(families.has('rollcall_nothing_total')).toBe(false);
    expect(analyse('sum(rate(rollcall_nothing_total[5m])').errors).toBeGreaterThan(0);
  });

  it('helm test reaches a running system, and fails when nothing listens', () => {
    const [pod] = Rendered.from().all('Pod');
    const [container] = pod?.spec?.containers ?? [];
    const script = container?.args?.[0] ?? '';
    const { port } = system.sip('tcp');
    const ready = SERVICE_NAMES.map((name) => system.opsUrl(`${name}-1`, '/readyz')).join(' ');
    const call = (sip: string, source = script) =>
      spawnSync(process.execPath, [...(container?.command ?? []).slice(1), source], {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], READY: ready, SIP: sip },
      });
    const reached = call(`127.0.0.1:${String(port)}`);
    expect(reached.stdout).toContain(`ok   OPTIONS 127.0.0.1:${String(port)}`);
    expect(reached.status).toBe(0);
    expect(call('127.0.0.1:9', script.replace('TRIES = 30', 'TRIES = 1')).status).not.toBe(0);
  });
});

describe('O04 alerts', () => {
  it('each has a severity, a time to wait, a summary, and a place in docs/operations.md', () => {
    const page = read('docs/operations.md');
    for (const { alert, for: wait, labels, annotations } of alerts) {
      expect(wait).toMatch(/^\d+[smh]$/);
      expect(['warning', 'critical']).toContain(labels.severity);
      expect(annotations.summary.length).toBeGreaterThan(20);
      expect(page, `${alert} is not explained`).toContain(`**${alert}**`);
    }
    const explained = [...page.matchAll(/\*\*(Rollcall[A-Z]\w+)\*\*/g)].map((match) => match[1]);
    expect(explained.sort()).toEqual(alerts.map((rule) => rule.alert).sort());
  });

  it('scale by metrics that the adapter makes', () => {
    const wanted = Rendered.from('--values', 'deploy/helm/rollcall/ci/everything.yaml')
      .all('HorizontalPodAutoscaler')
      .flatMap(({ spec }) => spec?.metrics ?? [])
      .flatMap((metric) => metric.pods?.metric.name ?? []);
    expect(wanted.sort()).toEqual(adapter.map((rule) => rule.name.as).sort());
  });

  it('are in the chart as they are here', () => {
    const chart = Rendered.from('--values', 'deploy/helm/rollcall/ci/everything.yaml');
    const rule = chart.objects.find(({ kind }) => kind === 'PrometheusRule') as { spec?: object } | undefined;
    expect(rule?.spec).toEqual(parse(read('deploy/grafana/alerts.yaml')));
    const map = chart.one('ConfigMap', '-dashboard');
    expect(JSON.parse(map.data?.['rollcall.json'] ?? '')).toEqual(dashboard);
    expect(containerOf(chart.workload('edge')).image).toBe('registry.example.net/rollcall/edge:1.2.3');
  });
});

describe('O04 the dashboard', () => {
  it('lays its panels out without overlap, each with an id of its own', () => {
    const ids = dashboard.panels.map((panel) => panel.id);
    expect(ids).toEqual([...new Set(ids)]);
    const taken = new Set<string>();
    for (const { gridPos, title } of dashboard.panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          const cell = `${String(x)},${String(y)}`;
          expect(taken.has(cell), title).toBe(false);
          expect(x).toBeLessThan(24);
          taken.add(cell);
        }
      }
    }
  });
});
