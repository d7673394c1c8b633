export * from './front.ts';
