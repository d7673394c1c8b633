export * from './admin-client.ts';
export * from './drachtio-double.ts';
export * from './eventually.ts';
export * from './metrics.ts';
export { freePort, RedisProcess } from '@rollcall/test-redis';
export * from './spans.ts';
export * from './test-system.ts';
export {
  answerChallenge,
  makeAuthority,
  makeCertificate,
  openWire,
  Phone,
  pickChallenge,
  readChallenge,
  Subscription,
  token,
  viaBranch,
} from '@rollcall/local';
export type {
  Account,
  Certificate,
  Challenge,
  SipMessage,
  SipTransport,
  Wire,
  WireTls,
} from '@rollcall/local';
