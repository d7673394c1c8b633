export { compose } from './compose.ts';
export type { Presence, PresenceDeps, PresencePorts } from './compose.ts';
export { presenceConfig } from './config.ts';
export type { PresenceConfig } from './config.ts';
export { createCore } from './core.ts';
export type { CoreOptions, CorePorts, PresenceCore } from './core.ts';
