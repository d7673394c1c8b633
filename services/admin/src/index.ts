export * from './app.ts';
export * from './config.ts';
export { StreamGate, STREAM_LIMITS } from './events/stream-gate.ts';
export type { StreamLimits } from './events/stream-gate.ts';
export type { AdminPorts } from './ports.ts';
