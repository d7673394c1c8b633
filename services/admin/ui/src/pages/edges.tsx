import { bytes, count, short, span } from '../format.ts';
import type { EdgeHealth, Flow, Overview } from '../model.ts';
import { href } from '../router.ts';
import { Empty, Failure, Panel, Table } from '../parts/basics.tsx';
import { CountTable, Tile } from '../parts/figures.tsx';
import { useApi, useTitle } from '../parts/hooks.ts';
import { part } from '../api.ts';
import { EdgeState, EdgeTable } from './overview.tsx';

const REFRESH_MS = 4_000;
const MS_PER_S = 1_000;

/** The edges that live. */
export function EdgesPage() {
  useTitle('Edges');
  const { value, error } = useApi<Overview>('/v1/overview', REFRESH_MS);
  return (
    <>
      <h1>Edges</h1>
      <Failure error={error} />
      {value !== undefined && (
        <Panel title="Edges that live" flush>
          <EdgeTable edges={value.edges} at={value.at} />
        </Panel>
      )}
    </>
  );
}

function Counts({ title, counts }: { title: string; counts: Readonly<Record<string, number>> }) {
  const rows = Object.entries(counts)
    .filter(([, value]) => value > 0)
    .sort((a, b) => b[1] - a[1]);
  return (
    <Panel title={title} flush>
      <CountTable label={title} what="What" rows={rows} none="None yet." />
    </Panel>
  );
}

/** One edge with its flows. */
export function EdgePage({ id }: { id: string }) {
  useTitle(id);
  const edge = useApi<EdgeHealth>(`/v1/edges/${part(id)}`, REFRESH_MS);
  const flows = useApi<{ total: number; items: readonly Flow[] }>(`/v1/edges/${part(id)}/flows`, REFRESH_MS);
  const status = edge.value?.status;
  return (
    <>
      <h1>
        <a class="up" href={href('edges')}>
          Edges
        </a>
        {id} {edge.value !== undefined && <EdgeState edge={edge.value} />}
      </h1>
      <Failure error={edge.error} />
      {status !== undefined && (
        <>
          <dl class="tiles">
            <Tile name="Up" value={span((Date.now() - status.epoch) / MS_PER_S)} note="since the start" />
            <Tile name="Processor time" value={span(status.cpu)} note="since the start" />
            <Tile name="Memory" value={bytes(status.memory)} note="resident" />
            <Tile name="Transactions" value={short(status.transactions)} note="not ended" />
            <Tile name="Messages kept" value={short(status.trace.entries)} note={bytes(status.trace.bytes)} />
            <Tile
              name="Sampled"
              value={`${status.trace.percent.toFixed(status.trace.percent < 1 ? 3 : 0)} %`}
              note="of the exchanges"
            />
          </dl>
          <div class="three">
            <Counts title="Requests" counts={status.requests} />
            <Counts title="Answers" counts={status.answers} />
            <Counts title="Refusals" counts={status.refusals} />
          </div>
        </>
      )}
      <Failure error={flows.error} />
      {flows.value !== undefined && (
        <Panel title={`Stream flows (${count(flows.value.total)})`} flush>
          {flows.value.items.length === 0 ? (
            <Empty>
              No connection is open. UDP flows are no more than pairs of addresses and are not listed.
            </Empty>
          ) : (
            <Table label="Stream flows" head={['Flow', 'Transport', 'Remote', 'Local']}>
              {flows.value.items.map((flow) => (
                <tr key={flow.id}>
                  <td>
                    <code>{flow.id}</code>
                  </td>
                  <td>{flow.transport}</td>
                  <td>
                    <code>
                      {flow.remote.address}:{flow.remote.port}
                    </code>
                  </td>
                  <td>
                    <code>
                      {flow.local.address}:{flow.local.port}
                    </code>
                  </td>
                </tr>
              ))}
            </Table>
          )}
        </Panel>
      )}
    </>
  );
}
