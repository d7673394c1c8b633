import { useEffect, useRef, useState } from 'preact/hooks';
import { go, href, route } from './router.ts';
import { chooseTheme, signOut, theme, token } from './session.ts';
import { Toasts } from './parts/toast.tsx';
import { AorPage } from './pages/aor.tsx';
import { AorsPage } from './pages/aors.tsx';
import { AuditPage } from './pages/audit.tsx';
import { DomainsPage } from './pages/domains.tsx';
import { EdgePage, EdgesPage } from './pages/edges.tsx';
import { EventsPage } from './pages/events.tsx';
import { LoginPage } from './pages/login.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { TracesPage } from './pages/traces.tsx';

const PAGES = [
  { path: '', name: 'Overview' },
  { path: 'aors', name: 'Addresses' },
  { path: 'events', name: 'Live events' },
  { path: 'traces', name: 'Traces' },
  { path: 'edges', name: 'Edges' },
  { path: 'domains', name: 'Users & policies' },
  { path: 'audit', name: 'Audit log' },
] as const;

function Page() {
  const { segments, query } = route.value;
  const [page = '', first, second] = segments;
  switch (page) {
    case 'aors':
      return first === undefined ? (
        <AorsPage query={query} />
      ) : (
        <AorPage key={first} aor={first} tab={second ?? 'bindings'} />
      );
    case 'events':
      return <EventsPage />;
    case 'traces':
      return <TracesPage />;
    case 'edges':
      return first === undefined ? <EdgesPage /> : <EdgePage key={first} id={first} />;
    case 'domains':
      return <DomainsPage name={first} />;
    case 'audit':
      return <AuditPage />;
    default:
      return <OverviewPage />;
  }
}

function Find() {
  const [text, setText] = useState('');
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const jump = (event: KeyboardEvent): void => {
      const typing =
        event.target instanceof HTMLElement && event.target.closest('input, textarea, select, dialog');
      if (event.key !== '/' || event.ctrlKey || event.metaKey || typing !== null) return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener('keydown', jump);
    return () => {
      removeEventListener('keydown', jump);
    };
  }, []);
  return (
    <form
      class="find"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const wanted = text.trim();
        if (wanted === '') return;
        if (wanted.includes('@') || wanted.startsWith('tel:')) {
          go('aors', /^(?:sips?|tel):/.test(wanted) ? wanted : `sip:${wanted}`);
        } else location.hash = `#/aors?prefix=${encodeURIComponent(wanted)}`;
        setText('');
        input.current?.blur();
      }}
    >
      <input
        ref={input}
        type="search"
        aria-label="Find an address"
        placeholder="Find an address …"
        value={text}
        onInput={({ currentTarget }) => {
          setText(currentTarget.value);
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </form>
  );
}

export function App() {
  const main = useRef<HTMLElement>(null);
  const [page = ''] = route.value.segments;
  if (token.value === undefined) {
    return (
      <>
        <LoginPage />
        <Toasts />
      </>
    );
  }
  return (
    <div class="shell">
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to the page
      </a>
      <nav class="side" aria-label="Pages">
        <a class="brand" href={href()}>
          <img src="/icon.svg" alt="" width="22" height="22" />
          Rollcall
        </a>
        <ul>
          {PAGES.map(({ path, name }) => (
            <li key={path}>
              <a href={path === '' ? href() : href(path)} aria-current={page === path ? 'page' : undefined}>
                {name}
              </a>
            </li>
          ))}
        </ul>
        <div class="foot">
          <a href="/docs">REST API</a>
          <button
            type="button"
            aria-label={theme.value === 'dark' ? 'Light theme' : 'Dark theme'}
            onClick={() => {
              chooseTheme(theme.value === 'dark' ? 'light' : 'dark');
            }}
          >
            {theme.value === 'dark' ? '☀ Light' : '☾ Dark'}
          </button>
          <button type="button" onClick={signOut}>
            Sign out
          </button>
        </div>
      </nav>
      <div class="work">
        <Find />
        <main ref={main} id="main" tabIndex={-1}>
          <Page />
        </main>
      </div>
      <Toasts />
    </div>
  );
}
