export * from './location-contract.ts';
export { apiTokensContract } from './api-tokens-contract.ts';
export type { ApiTokensUnderTest } from './api-tokens-contract.ts';
export { messagesContract } from './messages-contract.ts';
export type { MessagesUnderTest } from './messages-contract.ts';
export { commitOnce, sampleBinding } from './samples.ts';
