import { part } from '../api.ts';
import { clockMs, dateTime, plain, span } from '../format.ts';
import type { PageOf, Subscription } from '../model.ts';
import { href } from '../router.ts';
import { Empty, Failure, Panel, Pill, Table } from '../parts/basics.tsx';
import type { Tone } from '../parts/basics.tsx';
import { useApi } from '../parts/hooks.ts';

const REFRESH_MS = 3_000;

const DELIVERY: Readonly<Record<string, readonly [Tone, string]>> = {
  settled: ['good', 'delivered'],
  inFlight: ['info', 'on its way'],
  stale: ['info', 'on its way, another follows'],
  owing: ['warn', 'owed'],
  endOwed: ['warn', 'last one owed'],
  waiting: ['warn', 'tried again later'],
  parked: ['bad', 'given up for now'],
  ending: ['plain', 'ending'],
};

/** Who is told of this address, and of whom it is told. */
export function SubscriptionsTab({ aor }: { aor: string }) {
  return (
    <>
      <SubscriptionPanel aor={aor} title="Who watches" role="resource" empty="Nobody watches this address." />
      <SubscriptionPanel
        aor={aor}
        title="What it watches"
        role="watcher"
        empty="It watches no other address."
      />
    </>
  );
}

function SubscriptionPanel({
  aor,
  title,
  role,
  empty,
}: {
  aor: string;
  title: string;
  /** What the address is in the subscriptions that are listed. */
  role: 'resource' | 'watcher';
  empty: string;
}) {
  const { value, error } = useApi<PageOf<Subscription>>(
    `/v1/subscriptions?limit=200&${role}=${part(aor)}`,
    REFRESH_MS,
  );
  const other = role === 'resource' ? 'watcher' : 'resource';
  return (
    <>
      <Failure error={error} />
      <Panel title={title} flush>
        {value === undefined ? null : value.items.length === 0 ? (
          <Empty>{empty}</Empty>
        ) : (
          <Table
            label={title}
            head={[
              role === 'resource' ? 'Watcher' : 'Address',
              'Event',
              'Contact',
              'Last NOTIFY',
              ['CSeq', 'number'],
              ['Failures', 'number'],
              ['Expires', 'number'],
            ]}
          >
            {value.items.map((one) => {
              const [tone, words] = DELIVERY[one.notify.delivery] ?? ['plain', one.notify.delivery];
              return (
                <tr key={one.id}>
                  <th scope="row">
                    <a href={href('aors', one[other], 'subscriptions')}>{plain(one[other])}</a>
                  </th>
                  <td>{one.event}</td>
                  <td>
                    <code>{one.contact}</code>
                  </td>
                  <td>
                    <Pill tone={tone}>{words}</Pill>
                    {one.notify.until !== undefined && (
                      <span class="muted"> until {dateTime(one.notify.until)}</span>
                    )}
                    <NotifyAnswer notify={one.notify} />
                  </td>
                  <td class="number">{one.notify.cseq}</td>
                  <td class="number">{one.notify.failures}</td>
                  <td class="number">{span(one.expires)}</td>
                </tr>
              );
            })}
          </Table>
        )}
      </Panel>
    </>
  );
}

/** When the last NOTIFY went, and what was answered. */
function NotifyAnswer({ notify: { sentAt, status } }: { notify: Subscription['notify'] }) {
  if (sentAt === undefined) return null;
  return (
    <span class="muted">
      {' '}
      {clockMs(Date.parse(sentAt))}
      {status !== undefined && ` answered ${String(status)}`}
    </span>
  );
}
