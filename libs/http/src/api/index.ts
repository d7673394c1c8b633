export * from './app.ts';
export type { ApiLog } from './errors.ts';
export * from './listen.ts';
export * from './schemas.ts';
