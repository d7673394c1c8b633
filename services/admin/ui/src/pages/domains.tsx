import { useEffect, useState } from 'preact/hooks';
import { get, part, remove } from '../api.ts';
import { plain } from '../format.ts';
import type { Domain, PageOf, User } from '../model.ts';
import { href } from '../router.ts';
import { Confirm, Empty, Failure, Panel, Pill, Table } from '../parts/basics.tsx';
import { asError, useApi, useTitle } from '../parts/hooks.ts';
import { titleOf } from '../parts/schema-form.tsx';
import type { Values } from '../parts/schema-form.tsx';
import { SettingsDialog } from '../parts/settings-dialog.tsx';
import { attempt } from '../parts/toast.tsx';

const PAGE = 100;
/** What a view of a user has and its settings have not. */
const NOT_SETTINGS = new Set(['aor', 'user', 'domain', 'realm', 'algorithms', 'name']);

const settingsOf = (view: Readonly<Record<string, unknown>>, keep: readonly string[] = []): Values =>
  Object.fromEntries(Object.entries(view).filter(([name]) => !NOT_SETTINGS.has(name) || keep.includes(name)));

/** Domains with their policies, and the users of one. */
export function DomainsPage({ name }: { name: string | undefined }) {
  useTitle('Users & policies');
  const domains = useApi<PageOf<Domain>>('/v1/domains');
  const [making, setMaking] = useState(false);
  const list = domains.value?.items ?? [];
  const current = list.find((domain) => domain.name === name) ?? list[0];
  return (
    <>
      <h1>Users &amp; policies</h1>
      <Failure error={domains.error} />
      <div class="toolbar">
        <nav class="tabs inline" aria-label="Domains">
          {list.map((domain) => (
            <a
              key={domain.name}
              href={href('domains', domain.name)}
              aria-current={domain === current ? 'page' : undefined}
            >
              {domain.name}
            </a>
          ))}
        </nav>
        <button type="button" onClick={() => setMaking(true)}>
          New domain
        </button>
      </div>
      {domains.value !== undefined && current === undefined && <Empty>There is no domain yet.</Empty>}
      {current !== undefined && (
        <div class="two wide-left" key={current.name}>
          <Users domain={current} />
          <Policy domain={current} onChange={domains.reload} />
        </div>
      )}
      {making && (
        <DomainDialog
          domain={undefined}
          onClose={() => setMaking(false)}
          onSaved={(saved) => {
            setMaking(false);
            domains.reload();
            location.hash = href('domains', saved);
          }}
        />
      )}
    </>
  );
}

function Policy({ domain, onChange }: { domain: Domain; onChange: () => void }) {
  const [editing, setEditing] = useState(false);
  const [going, setGoing] = useState(false);
  const settings = Object.entries(settingsOf(domain, ['realm'])).filter(
    ([, value]) => !Array.isArray(value) || value.length > 0,
  );
  return (
    <Panel
      title={`Policy of ${domain.name}`}
      actions={
        <>
          <button type="button" onClick={() => setEditing(true)}>
            Edit policy
          </button>
          <button type="button" class="danger" onClick={() => setGoing(true)}>
            Delete domain
          </button>
        </>
      }
    >
      {settings.length === 0 ? (
        <Empty>Everything as usual.</Empty>
      ) : (
        <dl class="facts">
          {settings.map(([name, value]) => (
            <>
              <dt>{titleOf(name)}</dt>
              <dd>{Array.isArray(value) ? value.join(', ') : String(value)}</dd>
            </>
          ))}
        </dl>
      )}
      {editing && (
        <DomainDialog
          domain={domain}
          onClose={() => setEditing(false)}
          onSaved={() => {
            setEditing(false);
            onChange();
          }}
        />
      )}
      {going && (
        <Confirm
          title="Delete this domain?"
          text={`${domain.name} is no longer served: its users cannot register. The users themselves stay stored.`}
          verb="Delete"
          onYes={() =>
            void attempt(() => remove(`/v1/domains/${part(domain.name)}`), 'The domain was deleted').then(
              onChange,
            )
          }
          onClose={() => setGoing(false)}
        />
      )}
    </Panel>
  );
}

function DomainDialog({
  domain,
  onClose,
  onSaved,
}: {
  domain: Domain | undefined;
  onClose: () => void;
  onSaved: (name: string) => void;
}) {
  return (
    <SettingsDialog
      title={domain === undefined ? 'New domain' : `Policy of ${domain.name}`}
      schemaOf="/v1/domains/{domain}"
      name={domain?.name}
      label="Name"
      settings={domain === undefined ? {} : settingsOf(domain, ['realm'])}
      pathOf={(name) => `/v1/domains/${part(name)}`}
      onClose={onClose}
      onSaved={onSaved}
    />
  );
}

function Users({ domain }: { domain: Domain }) {
  const [users, setUsers] = useState<readonly User[]>([]);
  const [loaded, setLoaded] = useState(false);
  const [cursor, setCursor] = useState<string | undefined>();
  const [error, setError] = useState<Error | undefined>();
  const [editing, setEditing] = useState<User | 'new' | undefined>();
  const [going, setGoing] = useState<User | undefined>();
  const path = `/v1/domains/${part(domain.name)}/users`;
  const load = async (from?: string): Promise<void> => {
    try {
      const page = await get<PageOf<User>>(
        `${path}?limit=${String(PAGE)}${from === undefined ? '' : `&cursor=${part(from)}`}`,
      );
      setUsers((before) => (from === undefined ? page.items : [...before, ...page.items]));
      setCursor(page.cursor);
      setLoaded(true);
      setError(undefined);
    } catch (problem) {
      setError(asError(problem));
    }
  };
  useEffect(() => {
    void load();
  }, [path]);
  return (
    <Panel
      title={`Users of ${domain.name}`}
      flush
      actions={
        <button type="button" onClick={() => setEditing('new')}>
          New user
        </button>
      }
    >
      <Failure error={error} />
      {loaded && users.length === 0 && <Empty>This domain has no user yet: nobody can register.</Empty>}
      <Table label="Users" head={['User', 'Name', 'Sign-in name', 'State', '']}>
        {users.map((user) => (
          <tr key={user.aor}>
            <th scope="row">
              <a href={href('aors', user.aor)}>{plain(user.aor)}</a>
            </th>
            <td>{user.displayName}</td>
            <td>
              <code>{user.authUser}</code>
            </td>
            <td>{user.enabled ? <Pill tone="good">enabled</Pill> : <Pill tone="warn">disabled</Pill>}</td>
            <td class="number">
              <button
                type="button"
                class="small"
                aria-label={`Edit ${user.user}`}
                onClick={() => setEditing(user)}
              >
                Edit
              </button>{' '}
              <button
                type="button"
                class="small danger"
                aria-label={`Delete ${user.user}`}
                onClick={() => setGoing(user)}
              >
                Delete
              </button>
            </td>
          </tr>
        ))}
      </Table>
      {cursor !== undefined && (
        <p class="more">
          <button type="button" onClick={() => void load(cursor)}>
            More
          </button>
        </p>
      )}
      {editing !== undefined && (
        <SettingsDialog
          title={editing === 'new' ? `New user of ${domain.name}` : plain(editing.aor)}
          schemaOf="/v1/domains/{domain}/users/{user}"
          hide={['ha1']}
          name={editing === 'new' ? undefined : editing.user}
          label="User"
          settings={editing === 'new' ? {} : settingsOf(editing)}
          pathOf={(name) => `${path}/${part(name)}`}
          onClose={() => setEditing(undefined)}
          onSaved={() => {
            setEditing(undefined);
            void load();
          }}
        />
      )}
      {going !== undefined && (
        <Confirm
          title="Delete this user?"
          text={`${plain(going.aor)} can no longer register. Bindings stay until they expire or are removed.`}
          verb="Delete"
          onYes={() =>
            void attempt(() => remove(`${path}/${part(going.user)}`), 'The user was deleted').then(() =>
              load(),
            )
          }
          onClose={() => setGoing(undefined)}
        />
      )}
    </Panel>
  );
}
