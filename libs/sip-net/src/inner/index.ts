export { type AnswerReading, type InnerAnswer, readAnswer } from './answer.ts';
export type { InnerDone, InnerOutcome } from './connection.ts';
export type { InnerFormats } from './hello.ts';
export { createInnerLink, type InnerLink, type InnerLinkOptions, type InnerLinkStats } from './link.ts';
export {
  dnsReplicas,
  type Replica,
  type ReplicaSource,
  type ResolveAddresses,
  staticReplicas,
} from './replicas.ts';
export {
  createInnerServer,
  type InnerServer,
  type InnerServerLimits,
  type InnerServerOptions,
} from './server.ts';
