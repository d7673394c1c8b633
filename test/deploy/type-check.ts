import { join } from 'node:path';
import ts from 'typescript';
import type { KubernetesObject } from './kubernetes.ts';
import { ROOT } from './tools.ts';

/** Where kubernetes-types has the groups that the chart uses; a group that is not here is checked by `CUSTOM`. */
const MODULES: Readonly<Record<string, string>> = {
  v1: 'core/v1',
  'apps/v1': 'apps/v1',
  'autoscaling/v2': 'autoscaling/v2',
  'networking.k8s.io/v1': 'networking/v1',
  'policy/v1': 'policy/v1',
};

/** What we use of the Prometheus operator's kinds, after its API reference. */
const CUSTOM = `
interface Meta { name: string; labels: Record<string, string> }
interface ServiceMonitor {
  apiVersion: 'monitoring.coreos.com/v1'; kind: 'ServiceMonitor'; metadata: Meta;
  spec: {
    selector: { matchLabels: Record<string, string>; matchExpressions: { key: string; operator: 'DoesNotExist' }[] };
    endpoints: { port: string; path: string; interval: string;
      relabelings: { sourceLabels: string[]; targetLabel: string; replacement: string }[] }[];
  };
}
interface PrometheusRule {
  apiVersion: 'monitoring.coreos.com/v1'; kind: 'PrometheusRule'; metadata: Meta;
  spec: { groups: { name: string; rules: { alert: string; expr: string; for: string;
    labels: Record<string, string>; annotations: Record<string, string> }[] }[] };
}
`;

/** Type errors of objects against kubernetes-types, each with the kind and name it is about. */
export function typeErrors(objects: readonly KubernetesObject[]): string[] {
  const lines = [CUSTOM.replaceAll('\n', ' ')];
  for (const object of objects) {
    const module = MODULES[object.apiVersion];
    const type = module === undefined ? object.kind : `import('kubernetes-types/${module}').${object.kind}`;
    lines.push(`export const _${String(lines.length)} = ${JSON.stringify(object)} satisfies ${type};`);
  }
  return compile(lines.join('\n')).map(({ line, text }) => {
    const object = objects[line - 1];
    return `${object?.kind ?? ''} ${object?.metadata.name ?? ''}: ${text}`;
  });
}

function compile(source: string): { line: number; text: string }[] {
  const file = join(ROOT, 'test/deploy/rendered.ts');
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2023.d.ts'],
    types: [],
  };
  const host = ts.createCompilerHost(options);
  // The host of the compiler, and one file more.
  const withRendered: ts.CompilerHost = {
    ...host,
    getSourceFile: (name, ...rest) =>
      name === file
        ? ts.createSourceFile(name, source, ts.ScriptTarget.ES2023)
        : host.getSourceFile(name, ...rest),
    fileExists: (name) => name === file || host.fileExists(name),
    readFile: (name) => (name === file ? source : host.readFile(name)),
  };
  const program = ts.createProgram([file], options, withRendered);
  return ts.getPreEmitDiagnostics(program).map((diagnostic) => ({
    line: diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0,
    text: ts.flattenDiagnosticMessageText(diagnostic.messageText, ' '),
  }));
}
