export * from './aor.ts';
export * from './api-tokens.ts';
export * from './directory.ts';
export * from './flow-token.ts';
export * from './memory-api-tokens.ts';
export * from './memory-location.ts';
export * from './model.ts';
export * from './ports.ts';
