import { useState } from 'preact/hooks';
import { clockMs, plain } from '../format.ts';
import type { LiveEvent } from '../model.ts';
import { href } from '../router.ts';
import { Empty, Panel, Pill, Table } from '../parts/basics.tsx';
import type { Tone } from '../parts/basics.tsx';
import { useEvents, useTitle } from '../parts/hooks.ts';

/** Events that stay on the screen. */
export const MAX_EVENTS = 300;
const TONES: Readonly<Record<LiveEvent['kind'], Tone>> = {
  registered: 'good',
  refreshed: 'plain',
  shortened: 'plain',
  expired: 'warn',
  unregistered: 'info',
  deactivated: 'bad',
  rejected: 'bad',
};
const KINDS = Object.keys(TONES);

export function EventTable({ events }: { events: readonly LiveEvent[] }) {
  return (
    <Table label="Events" head={['Time', 'Event', 'Address', 'Contact', 'By']}>
      {events.map((event, index) => (
        <tr key={`${event.at} ${event.binding} ${String(events.length - index)}`}>
          <td class="number">{clockMs(Date.parse(event.at))}</td>
          <td>
            <Pill tone={TONES[event.kind]}>{event.kind}</Pill>
          </td>
          <td>
            <a href={href('aors', event.aor)}>{plain(event.aor)}</a>
          </td>
          <td>
            <code>{event.contact}</code>
          </td>
          <td class="muted">{event.actor}</td>
        </tr>
      ))}
    </Table>
  );
}

/** What changes, as it changes. */
export function EventsPage() {
  useTitle('Live events');
  const [kind, setKind] = useState('');
  const [events, setEvents] = useState<readonly LiveEvent[]>([]);
  const [paused, setPaused] = useState(false);
  const [held, setHeld] = useState(0);
  const state = useEvents(kind === '' ? '/v1/events' : `/v1/events?kind=${kind}`, (event) => {
    if (paused) setHeld((before) => before + 1);
    else setEvents((before) => [event, ...before].slice(0, MAX_EVENTS));
  });
  return (
    <>
      <h1>
        Live events <Pill tone={state === 'live' ? 'good' : 'warn'}>{state}</Pill>
      </h1>
      <div class="toolbar">
        <label class="inline">
          Kind
          <select value={kind} onChange={({ currentTarget }) => setKind(currentTarget.value)}>
            <option value="">all</option>
            {KINDS.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <button
          type="button"
          aria-pressed={paused}
          onClick={() => {
            setPaused(!paused);
            setHeld(0);
          }}
        >
          {paused ? `Go on${held > 0 ? ` (${String(held)} passed)` : ''}` : 'Pause'}
        </button>
        <button type="button" onClick={() => setEvents([])}>
          Clear
        </button>
      </div>
      <Panel title="Changes of registrations" flush>
        {events.length === 0 ? (
          <Empty>Nothing has happened since this page was opened.</Empty>
        ) : (
          <EventTable events={events} />
        )}
      </Panel>
    </>
  );
}
