import { useState } from 'preact/hooks';
import { part, put, remove } from '../api.ts';
import { dateTime, plain } from '../format.ts';
import type { PageOf } from '../model.ts';
import { go, href } from '../router.ts';
import { Empty, Failure, Panel, Table } from '../parts/basics.tsx';
import { useApi, useTitle } from '../parts/hooks.ts';
import { attempt } from '../parts/toast.tsx';

const REFRESH_MS = 4_000;

/** Whose packets are all kept just now. */
export function TracesPage() {
  useTitle('Traces');
  const [aor, setAor] = useState('');
  const [minutes, setMinutes] = useState(10);
  const { value, error, reload } = useApi<PageOf<{ aor: string; until: string }>>('/v1/traces', REFRESH_MS);
  const start = async (): Promise<void> => {
    const wanted = aor.trim();
    const done = await attempt(() => put('POST', '/v1/traces', { aor: wanted, seconds: minutes * 60 }));
    if (done) go('aors', /^(?:sips?|tel):/.test(wanted) ? wanted : `sip:${wanted}`, 'trace');
  };
  return (
    <>
      <h1>Traces</h1>
      <form
        class="filters"
        aria-label="New trace"
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <label>
          Address
          <input
            required
            spellcheck={false}
            placeholder="alice@example.test"
            value={aor}
            onInput={({ currentTarget }) => setAor(currentTarget.value)}
          />
        </label>
        <label>
          Minutes
          <input
            type="number"
            min={1}
            max={60}
            value={minutes}
            onInput={({ currentTarget }) => setMinutes(Number(currentTarget.value))}
          />
        </label>
        <button type="submit" class="primary">
          Start a trace
        </button>
      </form>
      <Failure error={error} />
      <Panel title="Traced now" flush>
        {value === undefined ? null : value.items.length === 0 ? (
          <Empty>Nobody is traced. Of everybody else the edges keep a sample.</Empty>
        ) : (
          <Table label="Traces" head={['Address', 'Until', '']}>
            {value.items.map((one) => (
              <tr key={one.aor}>
                <th scope="row">
                  <a href={href('aors', one.aor, 'trace')}>{plain(one.aor)}</a>
                </th>
                <td>{dateTime(one.until)}</td>
                <td class="number">
                  <button
                    type="button"
                    class="small"
                    aria-label={`Stop tracing ${plain(one.aor)}`}
                    onClick={() =>
                      void attempt(() => remove(`/v1/traces/${part(one.aor)}`), 'The trace has ended').then(
                        reload,
                      )
                    }
                  >
                    Stop
                  </button>
                </td>
              </tr>
            ))}
          </Table>
        )}
      </Panel>
    </>
  );
}
