import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Environment } from '@rollcall/config';
import type { DaemonSet, Deployment, StatefulSet } from 'kubernetes-types/apps/v1.js';
import type { HorizontalPodAutoscaler } from 'kubernetes-types/autoscaling/v2.js';
import type {
  ConfigMap,
  Container,
  Pod,
  PodSpec,
  Secret,
  Service,
  ServiceAccount,
} from 'kubernetes-types/core/v1.js';
import type { Ingress, NetworkPolicy } from 'kubernetes-types/networking/v1.js';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js';
import { parseAllDocuments } from 'yaml';
import { helmPath, ROOT } from './tools.ts';

export const CHART = join(ROOT, 'deploy/helm/rollcall');
export const RELEASE = 'rc';
export const NAMESPACE = 'voice';

/** The kinds that the chart makes and that kubernetes-types knows. */
interface Kinds {
  ConfigMap: ConfigMap;
  DaemonSet: DaemonSet;
  Deployment: Deployment;
  HorizontalPodAutoscaler: HorizontalPodAutoscaler;
  Ingress: Ingress;
  NetworkPolicy: NetworkPolicy;
  Pod: Pod;
  PodDisruptionBudget: PodDisruptionBudget;
  Secret: Secret;
  Service: Service;
  ServiceAccount: ServiceAccount;
  StatefulSet: StatefulSet;
}

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
}

export type Workload = Deployment | StatefulSet | DaemonSet;

/** What Helm says: exit code and both outputs. */
export function helm(...args: string[]): { ok: boolean; text: string; out: string } {
  const done = spawnSync(helmPath(), args, { encoding: 'utf8', maxBuffer: 64 << 20, cwd: ROOT });
  if (done.error !== undefined) throw done.error;
  return { ok: done.status === 0, text: done.stdout + done.stderr, out: done.stdout };
}

/** The objects that the chart makes of some values (arguments of Helm). */
export class Rendered {
  private constructor(readonly objects: readonly KubernetesObject[]) {}

  static from(...values: string[]): Rendered {
    const { ok, text, out } = helm(
      'template',
      RELEASE,
      CHART,
      '--namespace',
      NAMESPACE,
      '--kube-version',
      '1.30.0',
      ...values,
    );
    if (!ok) throw new Error(text);
    const objects = parseAllDocuments(out)
      .map((document) => {
        if (document.errors.length > 0) throw new Error(document.errors.join('\n'));
        return document.toJS() as KubernetesObject | null;
      })
      .filter((object) => object !== null);
    return new Rendered(objects);
  }

  all<K extends keyof Kinds>(kind: K): Kinds[K][] {
    return this.objects.filter((object) => object.kind === kind) as Kinds[K][];
  }

  one<K extends keyof Kinds>(kind: K, name: string): Kinds[K] {
    const found = this.all(kind).find((object) => object.metadata?.name === `${RELEASE}-rollcall${name}`);
    if (found === undefined) throw new Error(`no ${kind} ${name}`);
    return found;
  }

  workloads(): Workload[] {
    return [...this.all('Deployment'), ...this.all('StatefulSet'), ...this.all('DaemonSet')];
  }

  workload(component: string): Workload {
    const found = this.workloads().find((one) => componentOf(one) === component);
    if (found === undefined) throw new Error(`no workload for ${component}`);
    return found;
  }

  /** The variables of a container as its process would have them, on a node and in a pod with made-up addresses. */
  environment(container: Container): Environment {
    const env: Record<string, string> = {};
    for (const { name, value, valueFrom } of container.env ?? []) {
      if (name in env) throw new Error(`${name} is set twice`);
      if (value !== undefined)
        env[name] = value.replace(/\$\((\w+)\)/g, (whole, known: string) => env[known] ?? whole);
      else if (valueFrom?.fieldRef !== undefined) env[name] = this.#field(valueFrom.fieldRef.fieldPath);
      else if (valueFrom?.secretKeyRef !== undefined)
        env[name] = this.#secret(valueFrom.secretKeyRef.name ?? '', valueFrom.secretKeyRef.key);
      else throw new Error(`${name} has neither a value nor a source that is known here`);
    }
    return env;
  }

  #field(path: string): string {
    const value = FIELDS[path];
    if (value === undefined) throw new Error(`fieldPath ${path} is not one that a variable may have`);
    return value;
  }

  #secret(name: string, key: string): string {
    const made = this.all('Secret').find((secret) => secret.metadata?.name === name);
    if (made !== undefined) {
      const value = made.stringData?.[key];
      if (value === undefined) throw new Error(`Secret ${name} has no key ${key}`);
      return value;
    }
    const promised = SITE_SECRET[key];
    if (promised === undefined)
      throw new Error(`${key} is not a key that values.yaml asks of a site's own Secret`);
    return promised;
  }
}

/** Downward API fields and values that they might have. */
const FIELDS: Readonly<Record<string, string>> = {
  'status.podIP': '10.244.3.17',
  'status.hostIP': '192.0.2.17',
  'metadata.name': 'rc-rollcall-edge-0',
  'spec.nodeName': 'node-17.zone-a.example.net',
};

/** What `secrets.existing` must hold, as values.yaml says. */
export const SITE_SECRET: Readonly<Record<string, string>> = {
  secret: 'a secret of the site itself',
  'admin-token': 'a token of the site itself',
  'redis-url': 'rediss://user:password@redis.example.net:6380/2',
};

export function componentOf(object: { metadata?: { labels?: Record<string, string> } }): string {
  return object.metadata?.labels?.['app.kubernetes.io/component'] ?? '';
}

export function podSpec(workload: Workload): PodSpec {
  const spec = workload.spec?.template.spec;
  if (spec === undefined) throw new Error('a workload without pods');
  return spec;
}

export function containerOf(workload: Workload): Container {
  const [container, ...more] = podSpec(workload).containers;
  if (container === undefined || more.length > 0) throw new Error('a pod of ours has one container');
  return container;
}

/** Whether a selector picks pods with these labels. */
export function selects(
  selector: Record<string, string> | undefined,
  labels: Record<string, string> | undefined,
): boolean {
  return (
    selector !== undefined &&
    Object.keys(selector).length > 0 &&
    Object.entries(selector).every(([label, value]) => labels?.[label] === value)
  );
}
