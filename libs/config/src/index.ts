export * from './common.ts';
export * from './define.ts';
export * from './endpoint.ts';
export * from './field.ts';
export { ROLLCALL_NAMES } from './names.ts';
export * from './process.ts';
export * from './rehearsal.ts';
export * from './run-service.ts';
export * from './transport.ts';
