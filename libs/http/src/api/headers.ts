import { SECURITY_HEADERS } from '../security-headers.ts';

/** On every answer of an API: it is about now and for nobody else. */
export const ANSWER_HEADERS: Readonly<Record<string, string>> = {
  ...SECURITY_HEADERS,
  'cache-control': 'no-store',
};
