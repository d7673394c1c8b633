import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { clock, rate } from '../format.ts';
import { theme } from '../session.ts';
import { watchWidth } from './hooks.ts';

export interface Curve {
  readonly name: string;
  /** A custom property of the style sheet. */
  readonly colour: string;
  readonly values: readonly number[];
}

const HEIGHT = 168;
const MS_PER_S = 1_000;

const colourOf = (property: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(property).trim();

/** Curves over time. Who cannot see them is told the last value of each. */
export function Chart({
  label,
  times,
  curves,
}: {
  label: string;
  /** Milliseconds since 1970. */
  times: readonly number[];
  curves: readonly Curve[];
}) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const look = theme.value;
  const names = curves.map(({ name }) => name).join();
  const data: uPlot.AlignedData = [
    times.map((at) => at / MS_PER_S),
    ...curves.map(({ values }) => [...values]),
  ];
  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const axis = {
      stroke: colourOf('--muted'),
      grid: { stroke: colourOf('--line'), width: 1 },
      ticks: { show: false },
    };
    const drawn = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { points: { size: 6 }, y: false },
        padding: [8, 26, 0, 0],
        scales: { y: { range: (_self, _least, most) => [0, Math.max(1, most * 1.15)] } },
        axes: [
          { ...axis, space: 80, size: 26, values: (_self, ticks) => ticks.map((at) => clock(at * MS_PER_S)) },
          { ...axis, size: 44, values: (_self, ticks) => ticks.map(rate) },
        ],
        series: [
          {},
          ...curves.map(({ name, colour }) => ({
            label: name,
            stroke: colourOf(colour),
            width: 1.6,
            points: { show: false },
          })),
        ],
      },
      data,
      element,
    );
    plot.current = drawn;
    const unwatch = watchWidth(element, (width) => {
      drawn.setSize({ width, height: HEIGHT });
    });
    return () => {
      unwatch();
      drawn.destroy();
      plot.current = undefined;
    };
    // Colours are read once: another theme draws anew.
  }, [look, names]);
  useEffect(() => {
    plot.current?.setData(data);
  }, [times.length, times.at(-1)]);
  return (
    <figure class="chart">
      <div class="plot" ref={frame} aria-hidden="true" />
      <figcaption>
        <span class="unseen">{label}, now: </span>
        {curves.map(({ name, colour, values }) => (
          <span key={name} class="key">
            <i style={{ background: `var(${colour})` }} aria-hidden="true" />
            {name} <b>{rate(values.at(-1) ?? 0)}</b>
          </span>
        ))}
      </figcaption>
    </figure>
  );
}
