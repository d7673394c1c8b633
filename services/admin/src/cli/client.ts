/** A refusal of the REST interface, in one line. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

/** An answer as JSON values; whoever reads a field says what it should be. */
export type Fields = Readonly<Record<string, unknown>>;

interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly errors?: readonly { readonly at: string; readonly detail: string }[];
}

/** The REST interface of admin. Throws `Refused` for everything but a 2xx. */
export class RestClient {
  constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  async get(path: string): Promise<Fields> {
    return (await (await this.ask('GET', path)).json()) as Fields;
  }

  /** Undefined for an answer without a body. */
  async send(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<Fields | undefined> {
    const text = await (await this.ask(method, path, body)).text();
    return text === '' || text === 'null' ? undefined : (JSON.parse(text) as Fields);
  }

  async octets(path: string): Promise<Uint8Array> {
    return new Uint8Array(await (await this.ask('GET', path)).arrayBuffer());
  }

  /** All items of a listing, page by page. */
  async *items(path: string): AsyncGenerator<Fields> {
    let cursor: unknown;
    do {
      const more = typeof cursor === 'string' ? `${path.includes('?') ? '&' : '?'}cursor=${cursor}` : '';
      const page = await this.get(path + more);
      yield* (page['items'] as readonly Fields[] | undefined) ?? [];
      ({ cursor } = page);
    } while (cursor !== undefined);
  }

  /** The data of server-sent events (HTML §9.2) until the signal aborts; a lost connection resumes where it was. */
  async *events(path: string, signal: AbortSignal): AsyncGenerator<Fields> {
    let last: string | undefined;
    while (!signal.aborted) {
      const headers = {
        accept: 'text/event-stream',
        ...(last === undefined ? {} : { 'last-event-id': last }),
      };
      const response = await this.ask('GET', path, undefined, { headers, signal });
      let rest = '';
      try {
        for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
          const blocks = (rest + chunk).split('\n\n');
          rest = blocks.pop() ?? '';
          for (const block of blocks) {
            last = fieldOf(block, 'id') ?? last;
            const data = fieldOf(block, 'data');
            if (data !== undefined) yield JSON.parse(data) as Fields;
          }
        }
      } catch {
        // cut off, or told to stop: the loop knows which
      }
    }
  }

  async ask(
    method: string,
    path: string,
    body?: unknown,
    more: { headers?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<Response> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...more.headers,
      },
      ...(more.signal === undefined ? {} : { signal: more.signal }),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      if (more.signal?.aborted === true) throw error;
      const { cause } = error as { cause?: { message?: string } };
      throw new Refused(`${this.url} does not answer: ${cause?.message ?? String(error)}`);
    });
    if (!response.ok) throw new Refused(describe(response.status, await response.text()));
    return response;
  }
}

function describe(status: number, text: string): string {
  let problem: Problem = {};
  try {
    problem = JSON.parse(text) as Problem;
  } catch {
    // something else than admin answered
  }
  const errors = (problem.errors ?? []).map(({ at, detail }) => `${at} ${detail}`);
  return [`${String(status)} ${problem.title ?? ''}`.trim(), problem.detail, ...errors]
    .filter((part) => part !== undefined && part !== '')
    .join(': ');
}

const fieldOf = (block: string, name: string): string | undefined =>
  block
    .split('\n')
    .find((line) => line.startsWith(`${name}: `))
    ?.slice(name.length + 2);
