import { send } from './api.ts';
import type { LiveEvent } from './model.ts';

/** First and longest pause before a stream that broke is opened again, ms. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

export type StreamState = 'connecting' | 'live' | 'broken';

/**
 * Follows `GET /v1/events` until `signal` aborts: `EventSource` cannot show a token. A broken stream is opened again behind the last
 * event that came.
 */
export async function follow(
  path: string,
  take: (event: LiveEvent) => void,
  tell: (state: StreamState) => void,
  signal: AbortSignal,
): Promise<void> {
  let last: string | undefined;
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    tell('connecting');
    try {
      const answer = await send(path, {
        signal,
        headers: last === undefined ? {} : { 'last-event-id': last },
      });
      tell('live');
      pause = FIRST_PAUSE_MS;
      for await (const block of blocksOf(answer)) {
        last = fieldOf(block, 'id') ?? last;
        const data = fieldOf(block, 'data');
        if (data !== undefined && fieldOf(block, 'event') !== 'problem') take(JSON.parse(data) as LiveEvent);
      }
    } catch {
      if (isOver(signal)) return;
      // What the stream no longer holds cannot be resumed: go on from now.
      last = pause >= LONGEST_PAUSE_MS ? undefined : last;
    }
    tell('broken');
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}

/** Said by a function, since it may have changed while something was awaited. */
const isOver = (signal: AbortSignal): boolean => signal.aborted;

async function* blocksOf(answer: Response): AsyncGenerator<string> {
  const reader = answer.body?.getReader();
  if (reader === undefined) return;
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split('\n\n');
    rest = blocks.pop() ?? '';
    yield* blocks;
  }
}

function fieldOf(block: string, name: string): string | undefined {
  const line = block.split('\n').find((one) => one.startsWith(`${name}:`));
  return line?.slice(name.length + 1).trimStart();
}
