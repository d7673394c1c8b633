import { internalToken } from '@rollcall/http';

/** Asks the ops server of one edge. Rejects when it does not answer, or not with a 2xx. */
export interface EdgeClient {
  ask(
    http: string,
    path: string,
    more?: { readonly method?: string; readonly body?: unknown },
  ): Promise<unknown>;
}

/** An edge that has not answered by then counts as not reachable. */
const TIMEOUT_MS = 2_500;
/** An edge sends at most 5,000 messages of at most 64 KiB; nobody looks at more than some thousand small ones. */
const MAX_ANSWER_BYTES = 64 * 1_048_576;

/** A client that shows the token of those who share `secret`. */
export function createEdgeClient(secret: string): EdgeClient {
  const authorization = `Bearer ${internalToken(secret)}`;
  return {
    ask: async (http, path, { method = 'GET', body } = {}) => {
      const answer = await fetch(`http://${http}${path}`, {
        method,
        headers: { authorization },
        signal: AbortSignal.timeout(TIMEOUT_MS),
        redirect: 'error',
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await bounded(answer);
      if (!answer.ok) throw new Error(`the edge answers ${String(answer.status)}`);
      return JSON.parse(text) as unknown;
    },
  };
}

async function bounded(answer: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let length = 0;
  const body = (answer.body ?? []) as AsyncIterable<Uint8Array>;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new Error('the edge answers too much');
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
