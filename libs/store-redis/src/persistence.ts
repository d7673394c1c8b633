import { textOf } from './call.ts';
import type { Reply } from './call.ts';

/** Reads `INFO persistence`: whether the server writes an append-only file. */
export function keepsAppendOnlyFile(info: Reply): boolean {
  return /^aof_enabled:1\r?$/m.test(textOf(info));
}
