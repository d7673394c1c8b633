import { dateTime } from '../format.ts';
import type { PageOf } from '../model.ts';
import { Empty, Failure, Panel, Table } from '../parts/basics.tsx';
import { useApi, useTitle } from '../parts/hooks.ts';

const REFRESH_MS = 5_000;

interface Act {
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly detail?: string;
}

/** What operators and the service did. */
export function AuditPage() {
  useTitle('Audit log');
  const { value, error } = useApi<PageOf<Act>>('/v1/audit?limit=200', REFRESH_MS);
  return (
    <>
      <h1>Audit log</h1>
      <Failure error={error} />
      <Panel title="The latest acts" flush>
        {value?.items.length === 0 ? (
          <Empty>Nothing has been done yet.</Empty>
        ) : (
          <Table label="Acts" head={['Time', 'Who', 'What', 'On', 'Detail']}>
            {value?.items.map((act, index) => (
              <tr key={`${act.at} ${String(index)}`}>
                <td>{dateTime(act.at)}</td>
                <td>
                  <code>{act.actor}</code>
                </td>
                <td>{act.action}</td>
                <td>
                  <code>{act.target}</code>
                </td>
                <td class="muted">{act.detail}</td>
              </tr>
            ))}
          </Table>
        )}
      </Panel>
    </>
  );
}
