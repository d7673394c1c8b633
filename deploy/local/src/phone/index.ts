export * from './answer.ts';
export * from './phone.ts';
export * from './subscription.ts';
export * from './wire.ts';
