import { epochMs } from '@rollcall/kernel';
import { messagesContract } from '../src/contract/index.ts';
import { MemoryMessages } from '../src/index.ts';

const now = () => epochMs(Date.now());
const messages = new MemoryMessages({ now });
messagesContract('memory', () => Promise.resolve({ messages, elsewhere: messages, now }));
