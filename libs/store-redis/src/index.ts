export type { Endpoint, StoreAddress } from './connect.ts';
export type { ClientOptions, ClientStats, StoreStatus } from './client.ts';
export { SHARDS, shardOf } from './keys.ts';
export type { Durability } from './confirmations.ts';
export type { CommitDone } from './redis-location.ts';
export { RECORD_GRACE_MS } from './redis-location.ts';
export { connectStore, openStore } from './store.ts';
export type { LocationStore, Store } from './store.ts';
export { tellStatus } from './tell-status.ts';
