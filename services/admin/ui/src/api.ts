import { signOut, token } from './session.ts';

/** What the server answers when it is no (RFC 9457). */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';

  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string | undefined,
  ) {
    super(detail === undefined ? title : `${title}: ${detail}`);
  }
}

interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly errors?: readonly { readonly at: string; readonly detail: string }[];
}

export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token.value !== undefined) headers.set('authorization', `Bearer ${token.value}`);
  let answer: Response;
  try {
    answer = await fetch(path, { ...init, headers });
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new ApiProblem(0, 'The admin service cannot be reached', undefined);
  }
  if (answer.ok) return answer;
  const problem = (await answer.json().catch(() => ({}))) as Problem;
  if (answer.status === 401) signOut();
  const where = problem.errors?.map(({ at, detail }) => `${at} ${detail}`).join('; ');
  throw new ApiProblem(
    answer.status,
    problem.title ?? `Status ${String(answer.status)}`,
    problem.detail ?? where,
  );
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await send(path, signal === undefined ? {} : { signal })).json()) as T;
}

export async function put(method: 'PUT' | 'POST', path: string, body: unknown): Promise<void> {
  await send(path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

export async function remove(path: string): Promise<void> {
  await send(path, { method: 'DELETE' });
}

/** A part of a path. */
export const part = encodeURIComponent;

/** Saves what a path answers as a file. */
export async function download(path: string, name: string): Promise<void> {
  const url = URL.createObjectURL(await (await send(path)).blob());
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
