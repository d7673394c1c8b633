import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export type Tone = 'good' | 'warn' | 'bad' | 'plain' | 'info';

export function Pill({ tone = 'plain', children }: { tone?: Tone; children: ComponentChildren }) {
  return <span class={`pill ${tone}`}>{children}</span>;
}

export function Panel({
  title,
  actions,
  children,
  flush = false,
}: {
  title: string;
  actions?: ComponentChildren;
  children: ComponentChildren;
  /** The content reaches to the edges. */
  flush?: boolean;
}) {
  return (
    <section class={flush ? 'panel flush' : 'panel'}>
      <header>
        <h2>{title}</h2>
        {actions !== undefined && <div class="actions">{actions}</div>}
      </header>
      <div class="body">{children}</div>
    </section>
  );
}

export function Failure({ error }: { error: Error | undefined }) {
  return error === undefined ? null : (
    <p class="failure" role="alert">
      {error.message}
    </p>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** A table in a frame of its own that scrolls, by keyboard too. */
export function Table({
  label,
  head,
  children,
}: {
  label: string;
  head: readonly (string | readonly [string, string])[];
  children: ComponentChildren;
}) {
  return (
    <div class="frame" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>
            {head.map((cell) => {
              const [text, kind] = typeof cell === 'string' ? [cell, ''] : cell;
              return (
                <th key={text} scope="col" class={kind}>
                  {text === '' ? <span class="unseen">Actions</span> : text}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** A modal dialog; `onClose` is called however it is left. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    element.current?.showModal();
  }, []);
  return (
    <dialog ref={element} aria-labelledby="dialog-title" onClose={onClose}>
      <header>
        <h2 id="dialog-title">{title}</h2>
        <button type="button" class="icon" aria-label="Close" onClick={() => element.current?.close()}>
          ×
        </button>
      </header>
      {children}
    </dialog>
  );
}

/** A question with one dangerous answer. */
export function Confirm({
  title,
  text,
  verb,
  onYes,
  onClose,
}: {
  title: string;
  text: string;
  verb: string;
  onYes: () => void;
  onClose: () => void;
}) {
  return (
    <Dialog title={title} onClose={onClose}>
      <p class="wrap">{text}</p>
      <div class="buttons">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button
          type="button"
          class="danger"
          onClick={() => {
            onYes();
            onClose();
          }}
        >
          {verb}
        </button>
      </div>
    </Dialog>
  );
}
