export * from './location-contract.ts';
