import { useEffect, useState } from 'preact/hooks';
import { download, part, put, remove } from '../api.ts';
import { clockMs, dateTime, plain, span } from '../format.ts';
import type { Binding, Bindings, Ladder, LiveEvent } from '../model.ts';
import { href } from '../router.ts';
import { Confirm, Empty, Failure, Panel, Pill, Table } from '../parts/basics.tsx';
import { useApi, useEvents, useTitle } from '../parts/hooks.ts';
import { LadderView } from '../parts/ladder.tsx';
import { attempt } from '../parts/toast.tsx';
import { EventTable, MAX_EVENTS } from './events.tsx';
import { SubscriptionsTab } from './aor-subscriptions.tsx';

const TABS = [
  { id: 'bindings', name: 'Devices' },
  { id: 'subscriptions', name: 'Watchers' },
  { id: 'trace', name: 'Trace' },
] as const;
const REFRESH_MS = 3_000;
const TRACE_S = 600;

/** One address: its devices, who watches it, what happens to it, its packets. */
export function AorPage({ aor, tab }: { aor: string; tab: string }) {
  useTitle(plain(aor));
  const [events, setEvents] = useState<readonly LiveEvent[]>([]);
  const [changes, setChanges] = useState(0);
  const live = useEvents(`/v1/events?aor=${part(aor)}`, (event) => {
    setEvents((before) => [event, ...before].slice(0, MAX_EVENTS));
    setChanges((before) => before + 1);
  });
  return (
    <>
      <h1>
        <a class="up" href={href('aors')}>
          Addresses
        </a>
        {plain(aor)} <Pill tone={live === 'live' ? 'good' : 'warn'}>{live}</Pill>
      </h1>
      <nav class="tabs" aria-label="About this address">
        {TABS.map(({ id, name }) => (
          <a key={id} href={href('aors', aor, id)} aria-current={tab === id ? 'page' : undefined}>
            {name}
          </a>
        ))}
      </nav>
      {tab === 'trace' ? (
        <TraceTab aor={aor} />
      ) : tab === 'subscriptions' ? (
        <SubscriptionsTab aor={aor} />
      ) : (
        <BindingsTab aor={aor} changes={changes} />
      )}
      {tab !== 'trace' && (
        <Panel title="Events while you look" flush>
          {events.length === 0 ? <Empty>Nothing has happened yet.</Empty> : <EventTable events={events} />}
        </Panel>
      )}
    </>
  );
}

function BindingsTab({ aor, changes }: { aor: string; changes: number }) {
  const path = `/v1/aors/${part(aor)}/bindings`;
  const { value, error, reload } = useApi<Bindings>(path, REFRESH_MS);
  useEffect(() => {
    if (changes > 0) reload();
  }, [changes]);
  const [going, setGoing] = useState<Binding | 'all' | undefined>();
  const bindings = value?.bindings ?? [];
  const drop = (what: Binding | 'all'): void => {
    const target = what === 'all' ? path : `${path}/${part(what.id)}`;
    void attempt(
      () => remove(target),
      what === 'all' ? 'All devices were removed' : 'The device was removed',
    ).then(reload);
  };
  return (
    <>
      <Failure error={error} />
      <Panel
        title={`Devices (${String(bindings.length)})`}
        flush
        actions={
          bindings.length > 1 && (
            <button type="button" class="danger" onClick={() => setGoing('all')}>
              Remove all
            </button>
          )
        }
      >
        {value !== undefined && bindings.length === 0 ? (
          <Empty>No device is registered.</Empty>
        ) : (
          <Table
            label="Devices"
            head={['Contact', 'User agent', 'Source', 'Registered', ['Expires', 'number'], '']}
          >
            {bindings.map((binding) => (
              <BindingRow key={binding.id} binding={binding} onRemove={() => setGoing(binding)} />
            ))}
          </Table>
        )}
      </Panel>
      {going !== undefined && (
        <Confirm
          title={going === 'all' ? 'Remove all devices?' : 'Remove this device?'}
          text={
            going === 'all'
              ? `All devices of ${plain(aor)} are unregistered. Watchers are told, and the devices register anew when they notice.`
              : `${going.contact} is unregistered. Watchers are told, and the device registers anew when it notices.`
          }
          verb="Remove"
          onYes={() => drop(going)}
          onClose={() => setGoing(undefined)}
        />
      )}
    </>
  );
}

function BindingRow({ binding, onRemove }: { binding: Binding; onRemove: () => void }) {
  const {
    contact,
    params,
    userAgent,
    source,
    reachability,
    q,
    instance,
    registeredAt,
    refreshedAt,
    expires,
    callId,
    path,
  } = binding;
  return (
    <tr>
      <th scope="row">
        <code>{contact}</code>
        <details>
          <summary>Details</summary>
          <dl class="facts">
            {params !== '' && (
              <>
                <dt>Parameters</dt>
                <dd>
                  <code>{params}</code>
                </dd>
              </>
            )}
            {instance !== undefined && (
              <>
                <dt>Instance</dt>
                <dd>
                  <code>{instance}</code>
                </dd>
              </>
            )}
            {q !== undefined && (
              <>
                <dt>q</dt>
                <dd>{q}</dd>
              </>
            )}
            <dt>Call-ID</dt>
            <dd>
              <code>{callId}</code>
            </dd>
            <dt>Refreshed</dt>
            <dd>{dateTime(refreshedAt)}</dd>
            {path.map((one) => (
              <>
                <dt>Path</dt>
                <dd>
                  <code>{one}</code>
                </dd>
              </>
            ))}
          </dl>
        </details>
      </th>
      <td class="agent">{userAgent}</td>
      <td>
        <code>{source}</code>
        {reachability !== undefined && (
          <div>
            <Pill tone={reachability.reachable ? 'good' : 'bad'}>
              {reachability.reachable ? 'answers' : 'does not answer'}
            </Pill>
            <span class="muted">
              {reachability.rttMs !== undefined && `in ${String(reachability.rttMs)} ms, `}
              {clockMs(Date.parse(reachability.at)).slice(0, 8)}
            </span>
          </div>
        )}
      </td>
      <td>{dateTime(registeredAt)}</td>
      <td class="number">{span(expires)}</td>
      <td class="number">
        <button type="button" class="danger small" aria-label={`Remove ${contact}`} onClick={onRemove}>
          Remove
        </button>
      </td>
    </tr>
  );
}

function TraceTab({ aor }: { aor: string }) {
  const path = `/v1/aors/${part(aor)}/trace`;
  const [paused, setPaused] = useState(false);
  const { value, error, reload } = useApi<Ladder>(`${path}?limit=300`, paused ? undefined : REFRESH_MS);
  const traced = value?.tracedUntil;
  const away = value?.edges.filter(({ reachable }) => !reachable) ?? [];
  return (
    <>
      <Failure error={error} />
      <div class="toolbar">
        {traced === undefined ? (
          <button
            type="button"
            class="primary"
            onClick={() =>
              void attempt(
                () => put('POST', '/v1/traces', { aor, seconds: TRACE_S }),
                'Every message is kept for ten minutes',
              ).then(reload)
            }
          >
            Trace for 10 minutes
          </button>
        ) : (
          <>
            <Pill tone="info">everything is kept until {clockMs(Date.parse(traced)).slice(0, 8)}</Pill>
            <button
              type="button"
              onClick={() =>
                void attempt(() => remove(`/v1/traces/${part(aor)}`), 'The trace has ended').then(reload)
              }
            >
              Stop
            </button>
          </>
        )}
        <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
          {paused ? 'Go on' : 'Pause'}
        </button>
        <button
          type="button"
          disabled={(value?.steps.length ?? 0) === 0}
          onClick={() =>
            void attempt(() => download(`${path}.pcap`, `${plain(aor).replace(/[^\w.@-]/g, '_')}.pcap`))
          }
        >
          Download pcap
        </button>
        {away.map(({ id, reason }) => (
          <Pill key={id} tone="bad">
            {id}: {reason ?? 'not reachable'}
          </Pill>
        ))}
      </div>
      {value !== undefined &&
        (value.steps.length === 0 ? (
          <Panel title="Trace">
            <Empty>
              Nothing has been kept of this address. Start a trace and have the phone register, or call it:
              what it sends and gets appears here.
            </Empty>
          </Panel>
        ) : (
          <Exchanges ladder={value} />
        ))}
    </>
  );
}

/** The ladder of all exchanges, or of one of them. */
function Exchanges({ ladder }: { ladder: Ladder }) {
  const [call, setCall] = useState('');
  const calls = new Map<string, { readonly label: string; readonly at: number; steps: number }>();
  for (const { callId, label, at, kind } of ladder.steps) {
    if (callId === undefined) continue;
    const known = calls.get(callId);
    if (known !== undefined) known.steps += 1;
    else calls.set(callId, { label: kind === 'request' ? label : '…', at, steps: 1 });
  }
  const only = calls.has(call) ? call : '';
  const shown = only === '' ? ladder : ladderOf(ladder, only);
  return (
    <>
      <label class="inline">
        Exchange
        <select value={only} onChange={({ currentTarget }) => setCall(currentTarget.value)}>
          <option value="">all ({ladder.steps.length} steps)</option>
          {[...calls].reverse().map(([id, { label, at, steps }]) => (
            <option key={id} value={id}>
              {clockMs(at / 1_000)} {label}, {steps} steps, {id.slice(0, 40)}
            </option>
          ))}
        </select>
      </label>
      <LadderView key={only} ladder={shown} />
    </>
  );
}

function ladderOf(ladder: Ladder, call: string): Ladder {
  const steps = ladder.steps.filter(({ callId }) => callId === call);
  const used = new Set(steps.flatMap(({ from, to }) => [from, to]));
  return { ...ladder, steps, lifelines: ladder.lifelines.filter(({ id }) => used.has(id)) };
}
