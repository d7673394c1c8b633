import { signal } from '@preact/signals';

/** The page that the fragment of the address names: `#/aors/sip%3Aalice%40example.test/trace?x=y`. */
export interface Route {
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
}

function read(): Route {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2);
  const segments = path
    .split('/')
    .filter((segment) => segment !== '')
    .map((segment) => {
      try {
        return decodeURIComponent(segment);
      } catch {
        return segment;
      }
    });
  return { segments, query: new URLSearchParams(query) };
}

export const route = signal<Route>(read());
addEventListener('hashchange', () => {
  route.value = read();
});

export const href = (...segments: readonly string[]): string =>
  `#/${segments.map(encodeURIComponent).join('/')}`;

export function go(...segments: readonly string[]): void {
  location.hash = href(...segments);
}
