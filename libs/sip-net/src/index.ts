export { hostPort } from './addresses.ts';
export type { FrontCounters } from './counters.ts';
export {
  createSipFront,
  type FrontSizes,
  type ListenerOptions,
  type NativeFront,
  type SipFrontOptions,
} from './front.ts';
export { createDns, type DnsOptions } from './dns.ts';
export { DEFAULT_LIMITS, type NetLimits } from './limits.ts';
export { PROCESS_CLOCK, PROCESS_TIMERS } from './process-time.ts';
export type { NetLog } from './runner-context.ts';
export { FLOW_LETTERS } from './stream-flow.ts';
export type { AddressSet } from './stream-listener.ts';
export type { Tap, TappedFlow, TapSlot } from './tap.ts';
export type { CertificateFiles, TlsSettings } from './tls-contexts.ts';
export type { WebSocketSettings } from './websocket-upgrade.ts';
export { newToken } from './tokens.ts';
export { answer, type AnswerOptions, viaWithSource } from './via-source.ts';
export * from './inner/index.ts';
