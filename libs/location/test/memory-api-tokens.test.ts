import { apiTokensContract } from '../src/contract/index.ts';
import { MemoryApiTokens } from '../src/index.ts';

const tokens = new MemoryApiTokens();
apiTokensContract('memory', () => Promise.resolve({ tokens, elsewhere: tokens }));
