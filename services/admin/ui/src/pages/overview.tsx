import { bytes, count, rate, short, span } from '../format.ts';
import type { EdgeHealth, Moment, Overview } from '../model.ts';
import { href } from '../router.ts';
import { Empty, Failure, Panel, Pill, Table } from '../parts/basics.tsx';
import { Chart } from '../parts/chart.tsx';
import { CountTable, Tile } from '../parts/figures.tsx';
import { useApi, useTitle } from '../parts/hooks.ts';

const REFRESH_MS = 4_000;
const MS_PER_S = 1_000;

const sumOf = (
  edges: readonly EdgeHealth[],
  pick: (edge: NonNullable<EdgeHealth['status']>) => number,
): number => edges.reduce((sum, { status }) => sum + (status === undefined ? 0 : pick(status)), 0);

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, value) => sum + value, 0);

function topOf(edges: readonly EdgeHealth[]): [string, number][] {
  const sums = new Map<string, number>();
  for (const { status } of edges) {
    for (const [label, value] of Object.entries(status?.refusals ?? {})) {
      sums.set(label, (sums.get(label) ?? 0) + value);
    }
  }
  return [...sums].sort((a, b) => b[1] - a[1]).slice(0, 8);
}

/** The state of an edge in a word. */
export function EdgeState({ edge }: { edge: EdgeHealth }) {
  if (!edge.reachable) return <Pill tone="bad">not reachable</Pill>;
  const ready = edge.status?.ready;
  return ready?.ok === true ? (
    <Pill tone="good">ready</Pill>
  ) : (
    <Pill tone="warn">{ready?.reason ?? 'not ready'}</Pill>
  );
}

function Charts({ moments }: { moments: readonly Moment[] }) {
  const times = moments.map(({ at }) => at);
  const values = (name: keyof Moment): number[] => moments.map((one) => one[name]);
  return (
    <div class="two">
      <Panel title="Requests a second">
        <Chart
          label="Requests a second"
          times={times}
          curves={[
            { name: 'REGISTER', colour: '--series-1', values: values('register') },
            { name: 'SUBSCRIBE', colour: '--series-2', values: values('subscribe') },
            { name: 'PUBLISH', colour: '--series-3', values: values('publish') },
            { name: 'to phones', colour: '--series-4', values: values('notify') },
            { name: 'calls', colour: '--series-5', values: values('call') },
          ]}
        />
      </Panel>
      <Panel title="Answers a second">
        <Chart
          label="Answers a second"
          times={times}
          curves={[
            { name: '2xx', colour: '--good', values: values('ok') },
            { name: '401, 407', colour: '--warn', values: values('challenged') },
            { name: 'refused', colour: '--bad', values: values('refused') },
            { name: '5xx', colour: '--series-2', values: values('failed') },
          ]}
        />
      </Panel>
    </div>
  );
}

/** Rates and health of the whole installation. */
export function OverviewPage() {
  useTitle('Overview');
  const { value, error } = useApi<Overview>('/v1/overview', REFRESH_MS);
  const edges = value?.edges ?? [];
  const last = value?.moments.at(-1);
  const well = edges.filter(({ status }) => status?.ready.ok === true).length;
  return (
    <>
      <h1>Overview</h1>
      <Failure error={error} />
      {value !== undefined && (
        <>
          <dl class="tiles">
            <Tile name="Edges" value={`${String(well)} / ${String(edges.length)}`} note="ready" />
            <Tile name="REGISTER" value={rate(last?.register ?? 0)} note="a second" />
            <Tile name="Answers 2xx" value={rate(last?.ok ?? 0)} note="a second" />
            <Tile name="Refused" value={rate((last?.refused ?? 0) + (last?.failed ?? 0))} note="a second" />
            <Tile name="Stream flows" value={short(sumOf(edges, ({ flows }) => total(flows)))} note="open" />
            <Tile name="Processors" value={(last?.cpu ?? 0).toFixed(2)} note="used by edges" />
            <Tile name="Traces" value={count(value.traces)} note="running" />
            <Tile name="Domains" value={count(value.domains)} note={`version ${value.version}`} />
          </dl>
          <Charts moments={value.moments} />
          <div class="two wide-left">
            <Panel title="Edges" flush>
              <EdgeTable edges={edges} at={value.at} />
            </Panel>
            <Panel title="Refusals by the edges" flush>
              <CountTable label="Refusals" what="Label" rows={topOf(edges)} none="None." />
            </Panel>
          </div>
        </>
      )}
    </>
  );
}

export function EdgeTable({ edges, at }: { edges: readonly EdgeHealth[]; at: number }) {
  if (edges.length === 0) return <Empty>No edge lives: phones cannot register.</Empty>;
  const head = [
    'Edge',
    'State',
    'Listens',
    'Inner links',
    ['Flows', 'number'],
    ['Memory', 'number'],
    ['Up', 'number'],
  ] as const;
  return (
    <Table label="Edges" head={head}>
      {edges.map((edge) => {
        const { status } = edge;
        return (
          <tr key={edge.id}>
            <th scope="row">
              <a href={href('edges', edge.id)}>{edge.id}</a>
            </th>
            <td>
              <EdgeState edge={edge} />
              {edge.reason !== undefined && <span class="muted"> {edge.reason}</span>}
            </td>
            <td class="places">
              {status?.listeners.map(({ transport, address, port }) => (
                <code key={`${transport}${String(port)}`} class="chip">
                  {transport} {address}:{port}
                </code>
              ))}
            </td>
            <td>
              {Object.entries(status?.inner ?? {}).map(([name, link]) => (
                <Pill key={name} tone={link.up === 0 ? 'bad' : link.up < link.connections ? 'warn' : 'good'}>
                  {name} {link.up}/{link.connections}
                </Pill>
              ))}
            </td>
            <td class="number">{status === undefined ? '–' : short(total(status.flows))}</td>
            <td class="number">{status === undefined ? '–' : bytes(status.memory)}</td>
            <td class="number">{status === undefined ? '–' : span((at - status.epoch) / MS_PER_S)}</td>
          </tr>
        );
      })}
    </Table>
  );
}
