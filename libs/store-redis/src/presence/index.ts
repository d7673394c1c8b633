export { RedisEvents } from './redis-events.ts';
