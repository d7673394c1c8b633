export * from './logger.ts';
export { safeText } from './mask.ts';
export * from './metrics.ts';
export * from './names.ts';
export type { SpanLine } from './span-lines.ts';
export * from './traceparent.ts';
export * from './tracing.ts';
