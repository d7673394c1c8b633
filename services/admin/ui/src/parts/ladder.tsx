import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { clockUs, took } from '../format.ts';
import type { Ladder, Lifeline, Step } from '../model.ts';
import { Pill } from './basics.tsx';
import type { Tone } from './basics.tsx';
import { useWidth } from './hooks.ts';

/** Heights and widths of the drawing, in pixels; the rows of the list beside it have the same height. */
const ROW = 46;
const MARGIN = 52;
/** How near lifelines stand at most, by their number; up to six fit, with their notes, into a window of 1280 pixels. */
const NEAREST: readonly number[] = [132, 132, 132, 132, 118, 92, 76];
const CROWDED_COLUMN = 72;
/** How far apart they stand where there is room. */
const FARTHEST = 132;
const CROWDED = 5;
const CROWDED_MARGIN = 40;
const CHARACTER = 6.4;
/** Two lines of a name and two of where it is. */
const HEAD_TOP = 66;
/** Of the times and, at least, of the notes beside the drawing. */
const TIMES = 88;
const NOTES = 190;
/** What the notes keep before lifelines move apart. */
const EASY_NOTES = 232;

/** Where the lifelines stand. */
interface Layout {
  readonly margin: number;
  readonly column: number;
  /** Of the whole drawing. */
  readonly width: number;
}

/** @param room pixels for the whole ladder; 0 as long as that is not known. */
function layout(lifelines: number, room: number): Layout {
  const margin = lifelines < CROWDED ? MARGIN : CROWDED_MARGIN;
  const gaps = Math.max(1, lifelines - 1);
  const nearest = NEAREST[lifelines] ?? CROWDED_COLUMN;
  const easy = Math.floor((room - TIMES - EASY_NOTES - 2 * margin) / gaps);
  const column = Math.max(nearest, Math.min(FARTHEST, easy));
  return { margin, column, width: 2 * margin + (lifelines - 1) * column };
}

/** A pause between two steps that is worth a word, µs. */
const PAUSE_US = 400_000;

export const TONES: Readonly<Record<Step['tone'], Tone>> = {
  plain: 'plain',
  good: 'good',
  challenge: 'warn',
  refused: 'bad',
};

function Arrow({ step, index, lines }: { step: Step; index: number; lines: ReadonlyMap<string, number> }) {
  const y = index * ROW + ROW / 2 + 6;
  const from = lines.get(step.from) ?? 0;
  const to = lines.get(step.to) ?? 0;
  const way = Math.sign(to - from) || 1;
  const tip = to - way * 3;
  const middle = (from + to) / 2;
  return (
    <g class={`arrow ${step.tone} ${step.kind}`}>
      <line x1={from} y1={y} x2={tip} y2={y} />
      <path d={`M${String(tip)} ${String(y)} l${String(-7 * way)} -4 v8 z`} />
      <text x={middle} y={y - 6} text-anchor="middle">
        {cut(step.label, Math.floor((Math.abs(to - from) - 8) / CHARACTER))}
      </text>
    </g>
  );
}

const cut = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, Math.max(3, length - 1))}…`;

/** The lifelines with an arrow for each step. The list beside it says the same in words, so it is hidden from screen readers. */
function Drawing({
  ladder,
  layout: { margin, column, width },
  steps,
  selected,
  onSelect,
}: {
  ladder: Ladder;
  layout: Layout;
  steps: readonly Step[];
  selected: number;
  onSelect: (index: number) => void;
}) {
  const lines = new Map(ladder.lifelines.map(({ id }, index) => [id, margin + index * column]));
  const height = steps.length * ROW;
  return (
    <svg
      class="drawing"
      width={width}
      height={height}
      viewBox={`0 0 ${String(width)} ${String(height)}`}
      aria-hidden="true"
      onClick={(event) => {
        onSelect(Math.floor((event as MouseEvent & { offsetY: number }).offsetY / ROW));
      }}
    >
      {selected >= 0 && <rect class="chosen" x={0} y={selected * ROW} width={width} height={ROW} />}
      {[...lines].map(([id, x]) => (
        <line key={id} class="life" x1={x} y1={0} x2={x} y2={height} />
      ))}
      {steps.map((step, index) => (
        <Arrow key={`${String(step.at)} ${String(index)}`} step={step} index={index} lines={lines} />
      ))}
    </svg>
  );
}

function Heads({
  lifelines,
  layout: { margin, column, width },
}: {
  lifelines: readonly Lifeline[];
  layout: Layout;
}) {
  const crowded = lifelines.length < CROWDED ? '' : ' crowded';
  return (
    <div class={`heads${crowded}`} style={{ width: `${String(width)}px` }}>
      {lifelines.map(({ id, kind, name, detail }, index) => (
        <div
          key={id}
          class={`head ${kind}`}
          style={{
            left: `${String(margin + index * column - column / 2 + 3)}px`,
            width: `${String(column - 6)}px`,
          }}
          title={detail}
        >
          <strong>{name}</strong>
          <span>{detail}</span>
        </div>
      ))}
    </div>
  );
}

/** A message with its start line, names of headers and body apart. */
function Message({ text }: { text: string }) {
  const lines = text.trimEnd().split('\n');
  const end = lines.indexOf('');
  return (
    <pre class="message" tabIndex={0} aria-label="Raw message">
      {lines.map((line, index) => {
        const colon = line.indexOf(':');
        const header = index > 0 && (end < 0 || index < end) && colon > 0 && !/^\s/.test(line);
        return (
          <span key={index} class={index === 0 ? 'start' : undefined}>
            {header ? (
              <>
                <b>{line.slice(0, colon)}</b>
                {line.slice(colon)}
              </>
            ) : (
              line
            )}
            {'\n'}
          </span>
        );
      })}
    </pre>
  );
}

function Detail({ step, ladder }: { step: Step; ladder: Ladder }) {
  const nameOf = (id: string): string => ladder.lifelines.find((one) => one.id === id)?.name ?? id;
  const { refusal } = step;
  return (
    <aside class="detail" aria-label="Chosen step" aria-live="polite">
      <h2>
        <Pill tone={TONES[step.tone]}>{step.label}</Pill>
        <span class="way">
          {nameOf(step.from)} → {nameOf(step.to)}
        </span>
      </h2>
      <p class="note">{step.note}</p>
      {refusal !== undefined && (
        <dl class="facts refusal">
          <dt>Refused by</dt>
          <dd>{refusal.by}</dd>
          {refusal.rule !== undefined && (
            <>
              <dt>Rule</dt>
              <dd>{refusal.rule}</dd>
            </>
          )}
          {refusal.label !== undefined && (
            <>
              <dt>Label</dt>
              <dd>
                <code>{refusal.label}</code>
              </dd>
            </>
          )}
        </dl>
      )}
      <dl class="facts">
        <dt>Time</dt>
        <dd>{clockUs(step.at)}</dd>
        {step.took !== undefined && (
          <>
            <dt>{step.kind === 'commit' ? 'Took' : 'After its request'}</dt>
            <dd>{took(step.took)}</dd>
          </>
        )}
        {step.callId !== undefined && (
          <>
            <dt>Call-ID</dt>
            <dd>
              <code>{step.callId}</code>
            </dd>
          </>
        )}
        {step.transport !== undefined && (
          <>
            <dt>Transport</dt>
            <dd>
              {step.transport}, {step.size} octets
            </dd>
          </>
        )}
      </dl>
      {step.message !== undefined && <Message text={step.message} />}
    </aside>
  );
}

/** The whole ladder: a drawing, the same in words, and the step that was chosen. */
export function LadderView({ ladder }: { ladder: Ladder }) {
  const { steps } = ladder;
  const [chosen, setChosen] = useState(-1);
  const [following, setFollowing] = useState(true);
  const list = useRef<HTMLOListElement>(null);
  const selected = Math.min(chosen, steps.length - 1);
  const step = steps[selected];
  const first = steps[0]?.at ?? 0;
  const pauses = useMemo(
    () => steps.map((one, index) => (index === 0 ? 0 : one.at - (steps[index - 1]?.at ?? one.at))),
    [steps],
  );
  // Until somebody chooses, the newest exchange is shown.
  const story = useRef<HTMLDivElement>(null);
  const place = layout(ladder.lifelines.length, useWidth(story));
  const least = `${String(TIMES + place.width + NOTES)}px`;
  useEffect(() => {
    if (!following) return;
    const newest = steps.at(-1)?.callId;
    setChosen(steps.findIndex(({ callId }) => callId === newest));
    story.current?.scrollTo({ top: story.current.scrollHeight });
  }, [steps.length, following]);
  const choose = (index: number): void => {
    setFollowing(false);
    setChosen(index);
  };
  const move = (event: KeyboardEvent): void => {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    const buttons = [...(list.current?.querySelectorAll('button') ?? [])];
    const focused = buttons.findIndex((button) => button === document.activeElement);
    const next = (focused < 0 ? selected : focused) + by;
    if (by === 0 || next < 0 || next >= steps.length) return;
    event.preventDefault();
    choose(next);
    buttons[next]?.focus();
  };
  return (
    <div class="ladder">
      <div class="story" tabIndex={0} role="region" aria-label="Ladder" ref={story}>
        <div class="top" style={{ height: `${String(HEAD_TOP)}px`, minWidth: least }}>
          <div class="corner">Time</div>
          <Heads lifelines={ladder.lifelines} layout={place} />
          <div class="corner words">What happens</div>
        </div>
        <div class="rows" style={{ minWidth: least }}>
          <div class="times" aria-hidden="true">
            {steps.map((one, index) => (
              <div key={index} class={index === selected ? 'chosen' : undefined}>
                <span>{clockUs(one.at).slice(0, 12)}</span>
                <span class={(pauses[index] ?? 0) > PAUSE_US ? 'pause' : 'since'}>
                  +{took(index === 0 ? 0 : (pauses[index] ?? 0))}
                </span>
              </div>
            ))}
          </div>
          <Drawing ladder={ladder} layout={place} steps={steps} selected={selected} onSelect={choose} />
          <ol class="notes" ref={list} onKeyDown={move}>
            {steps.map((one, index) => (
              <li key={index}>
                <button
                  type="button"
                  aria-pressed={index === selected}
                  onClick={() => {
                    choose(index);
                  }}
                >
                  <span class="unseen">
                    {took(one.at - first)}, {one.label}:{' '}
                  </span>
                  <span class={`dot ${TONES[one.tone]}`} aria-hidden="true" />
                  <span class="text">
                    {one.repeated === true && <em>repeated · </em>}
                    {one.note}
                  </span>
                </button>
              </li>
            ))}
          </ol>
        </div>
      </div>
      {step !== undefined && <Detail step={step} ladder={ladder} />}
    </div>
  );
}
