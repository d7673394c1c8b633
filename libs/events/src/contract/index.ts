export * from './events-contract.ts';
export * from './samples.ts';
