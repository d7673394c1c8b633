import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { RefObject } from 'preact';
import { get } from '../api.ts';
import { follow } from '../sse.ts';
import type { StreamState } from '../sse.ts';
import type { LiveEvent } from '../model.ts';

export interface Loaded<T> {
  readonly value: T | undefined;
  readonly error: Error | undefined;
  readonly loading: boolean;
  /** Reads again now. */
  readonly reload: () => void;
}

/** Reads a path, and again every `everyMs`; undefined as path reads nothing. */
export function useApi<T>(path: string | undefined, everyMs?: number): Loaded<T> {
  const [state, setState] = useState<{ path?: string; value?: T; error?: Error }>({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (path === undefined) return undefined;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = async (): Promise<void> => {
      try {
        const value = await get<T>(path, abort.signal);
        setState({ path, value });
      } catch (error) {
        if (abort.signal.aborted) return;
        setState((before) => ({ ...(before.path === path ? before : { path }), error: asError(error) }));
      }
      if (everyMs !== undefined && !abort.signal.aborted) timer = setTimeout(() => void read(), everyMs);
    };
    void read();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [path, everyMs, turn]);
  const current = state.path === path;
  return {
    value: current ? state.value : undefined,
    error: current ? state.error : undefined,
    loading: path !== undefined && (!current || (state.value === undefined && state.error === undefined)),
    reload: () => {
      setTurn((before) => before + 1);
    },
  };
}

export const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

/** Follows the live events of a path. */
export function useEvents(path: string, take: (event: LiveEvent) => void): StreamState {
  const [state, setState] = useState<StreamState>('connecting');
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    const abort = new AbortController();
    void follow(path, (event) => latest.current(event), setState, abort.signal);
    return () => {
      abort.abort();
    };
  }, [path]);
  return state;
}

/** The value, once it has not changed for a while. */
export function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => {
      setSettled(value);
    }, ms);
    return () => {
      clearTimeout(timer);
    };
  }, [value, ms]);
  return settled;
}

/** The value, taken up at once, and then at most once in so many milliseconds for as long as it changes. */
export function usePaced<T>(value: T, ms: number): T {
  const [paced, setPaced] = useState(value);
  const last = useRef(0);
  useEffect(() => {
    const wait = Math.max(0, last.current + ms - Date.now());
    const timer = setTimeout(() => {
      last.current = Date.now();
      setPaced(value);
    }, wait);
    return () => {
      clearTimeout(timer);
    };
  }, [value, ms]);
  return paced;
}

/** Calls with the width inside an element, pixels, when it changes, and once to begin with. Returns what ends that. */
export function watchWidth(element: HTMLElement, take: (width: number) => void): () => void {
  const observer = new ResizeObserver(() => {
    take(element.clientWidth);
  });
  observer.observe(element);
  return () => {
    observer.disconnect();
  };
}

/** The width inside an element, also after the window has changed; 0 before it is drawn. */
export function useWidth(element: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const { current } = element;
    if (current === null) return undefined;
    setWidth(current.clientWidth);
    return watchWidth(current, setWidth);
  }, [element]);
  return width;
}

/** The title of the page in the tab. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Rollcall`;
  }, [title]);
}
