export interface AdminAnswer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

/** A binding as REST shows it; fields that tests compare. */
export interface ShownBinding {
  readonly id: string;
  readonly contact: string;
  /** Seconds that are left. */
  readonly expires: number;
  readonly [field: string]: unknown;
}

/** The admin API as a script would call it. */
export class AdminClient {
  constructor(
    readonly url: string,
    readonly token: string,
  ) {}

  async call<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<AdminAnswer<T>> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = (response.headers.get('content-type') ?? '').includes('json');
    return {
      status: response.status,
      headers: response.headers,
      body: (json && text !== '' ? JSON.parse(text) : text) as T,
    };
  }

  get<T = unknown>(path: string): Promise<AdminAnswer<T>> {
    return this.call<T>('GET', path);
  }

  /** Bindings of an AoR; none when the AoR has no record. */
  async bindings(aor: string): Promise<readonly ShownBinding[]> {
    const answer = await this.get<{ bindings?: readonly ShownBinding[] }>(
      `/v1/aors/${encodeURIComponent(aor)}/bindings`,
    );
    if (answer.status === 404) return [];
    if (answer.status !== 200) throw new Error(`GET bindings of ${aor}: ${answer.status}`);
    return answer.body.bindings ?? [];
  }
}

/** One server-sent event. */
export interface SentEvent {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

/** Follows a stream of server-sent events until closed. */
export class EventStream {
  readonly events: SentEvent[] = [];
  readonly #abort = new AbortController();

  static async open(client: AdminClient, path: string, lastEventId?: string): Promise<EventStream> {
    const stream = new EventStream();
    const response = await fetch(client.url + path, {
      headers: {
        authorization: `Bearer ${client.token}`,
        accept: 'text/event-stream',
        ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
      },
      signal: stream.#abort.signal,
    });
    if (!response.ok || response.body === null) throw new Error(`${path}: ${response.status}`);
    void stream.#read(response.body);
    return stream;
  }

  close(): void {
    this.#abort.abort();
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let rest = '';
    const decoder = new TextDecoder();
    try {
      for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
        const blocks = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n\r?\n/);
        rest = blocks.pop() ?? '';
        for (const block of blocks) this.#take(block);
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) throw error;
    }
  }

  #take(block: string): void {
    const field = (name: string) =>
      block
        .split(/\r?\n/)
        .filter((line) => line.startsWith(`${name}:`))
        .map((line) => line.slice(name.length + 1).trim())
        .join('\n');
    const data = field('data');
    if (data !== '')
      this.events.push({ id: field('id'), event: field('event'), data: JSON.parse(data) as unknown });
  }
}
