export * from './directory.ts';
export * from './model.ts';
export * from './ports.ts';
