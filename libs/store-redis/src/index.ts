export type { Endpoint, StoreAddress } from './connect.ts';
export type { ClientOptions, ClientStats, StoreStatus } from './client.ts';
export { SHARDS, shardOf } from './keys.ts';
