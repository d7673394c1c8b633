/** Which methods a path has, to tell a wrong method (405) from a wrong path (404). */
export class RouteTable {
  readonly #routes: { readonly segments: readonly string[]; readonly methods: readonly string[] }[] = [];

  add(pattern: string, methods: string | readonly string[]): void {
    this.#routes.push({
      segments: pattern.split('/'),
      methods: typeof methods === 'string' ? [methods] : methods,
    });
  }

  /** The methods of the path of `url`, sorted; empty when there is no such path. */
  methods(url: string): string[] {
    const segments = (url.split('?', 1)[0] ?? '').split('/');
    const found = new Set<string>();
    for (const route of this.#routes) {
      if (matches(route.segments, segments)) for (const method of route.methods) found.add(method);
    }
    return [...found].sort();
  }
}

function matches(pattern: readonly string[], path: readonly string[]): boolean {
  return (
    pattern.length === path.length &&
    pattern.every((part, index) => (part.startsWith(':') ? path[index] !== '' : part === path[index]))
  );
}
