export * from './directory.ts';
export * from './memory-location.ts';
export * from './model.ts';
export * from './ports.ts';
