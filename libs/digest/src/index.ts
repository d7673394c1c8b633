export * from './algorithm.ts';
export * from './answer.ts';
export * from './challenge.ts';
export * from './keyed-hash.ts';
export * from './nonce.ts';
export * from './verifier.ts';
