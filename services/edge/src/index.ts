export { edgeConfig } from './config.ts';
export { createCore } from './core.ts';
export type { CoreOptions, CorePorts, EdgeCore } from './core.ts';
export { REFUSALS } from './refusals.ts';
export type { Refusal, RefusalName } from './refusals.ts';
