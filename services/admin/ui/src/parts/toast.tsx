import { signal } from '@preact/signals';

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly bad: boolean;
}

const toasts = signal<readonly Toast[]>([]);
const SHOWN_MS = 6_000;
let next = 0;

/** Says for some seconds what became of something. */
export function say(text: string, bad = false): void {
  const toast = { id: (next += 1), text, bad };
  toasts.value = [...toasts.value.slice(-3), toast];
  setTimeout(() => {
    toasts.value = toasts.value.filter(({ id }) => id !== toast.id);
  }, SHOWN_MS);
}

/** Does something and says what went wrong, if anything. */
export async function attempt(act: () => Promise<void>, done?: string): Promise<boolean> {
  try {
    await act();
    if (done !== undefined) say(done);
    return true;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error), true);
    return false;
  }
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, bad }) => (
        <div key={id} class={bad ? 'toast bad' : 'toast'}>
          {text}
        </div>
      ))}
    </div>
  );
}
