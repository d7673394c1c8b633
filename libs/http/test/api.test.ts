import { connect } from 'node:net';
import { Type } from 'typebox';
import { afterEach, describe, expect, it } from 'vitest';
import { AddressInUse, PROBLEM_IDS, ProblemError, PROBLEMS } from '../src/index.ts';
import type { Problem } from '../src/index.ts';
import { buildApi, listenApi, problemsOf } from '../src/api/index.ts';

class Away extends Error {}

function sample() {
  const logged: { fields: Readonly<Record<string, unknown>>; message: string }[] = [];
  const answers: unknown[] = [];
  const app = buildApi({
    log: { error: (fields, message) => logged.push({ fields, message }) },
    mapError: (error) =>
      error instanceof Away
        ? new ProblemError('store-unavailable', undefined, { headers: { 'retry-after': '2' } })
        : undefined,
    bodyLimit: 100,
    onAnswer: (route, method, status) => answers.push([route, method, status]),
  });
  app.get('/things/:id', {
    schema: {
      params: Type.Object({ id: Type.String({ maxLength: 5 }) }),
      querystring: Type.Object(
        { limit: Type.Integer({ minimum: 1, maximum: 9, default: 3 }) },
        { additionalProperties: false },
      ),
      response: { 200: Type.Object({ id: Type.String(), limit: Type.Integer() }) },
    },
    handler: (request) => ({ id: request.params.id, limit: request.query.limit, secret: 'never declared' }),
  });
  app.put('/things/:id', {
    schema: {
      body: Type.Object(
        {
          n: Type.Integer(),
          kind: Type.Optional(Type.Union([Type.Literal('one'), Type.Literal('other')])),
        },
        { additionalProperties: false },
      ),
    },
    config: { api: { problems: ['store-unavailable', 'conflict'] } },
    handler: (request) => {
      if (request.body.n === 1) throw new Away();
      if (request.body.n === 2) throw new Error('a secret of the inside');
      return { n: request.body.n };
    },
  });
  return { app, logged, answers };
}

let running: ReturnType<typeof sample> | undefined;
afterEach(async () => {
  await running?.app.close();
  running = undefined;
});
const start = (): ReturnType<typeof sample> => (running = sample());

describe('an API app', () => {
  it('checks what comes in, converts text where all is text, and prints only what is declared', async () => {
    const { app, answers } = start();
    expect((await app.inject('/things/a?limit=5')).json()).toEqual({ id: 'a', limit: 5 });
    expect((await app.inject('/things/a')).json()).toEqual({ id: 'a', limit: 3 });
    const refused = await app.inject('/things/a?limit=x&more=1');
    expect(refused.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(refused.json<Problem>()).toMatchObject({ type: '/problems/invalid-request', status: 400 });
    expect(refused.json<Problem>().errors?.map((error) => error.at)).toContain('query/limit');
    expect(answers).toEqual([
      ['/things/:id', 'GET', 200],
      ['/things/:id', 'GET', 200],
      ['/things/:id', 'GET', 400],
    ]);
  });

  it('lets a body say its own types', async () => {
    const { app } = start();
    const put = (payload: object) => app.inject({ method: 'PUT', url: '/things/a', payload });
    expect((await put({ n: 7 })).statusCode).toBe(200);
    expect((await put({ n: '7' })).json<Problem>().errors?.[0]?.at).toBe('body/n');
    expect((await put({ n: 7, m: 1, kind: 'third' })).json<Problem>().errors).toEqual([
      { at: 'body/m', detail: 'is not known here' },
      { at: 'body/kind', detail: 'must be one of one, other' },
    ]);
  });

  it('A08 answers each fault with the problem of the table', async () => {
    const { app, logged } = start();
    const put = (payload: string, type = 'application/json') =>
      app.inject({ method: 'PUT', url: '/things/a', payload, headers: { 'content-type': type } });
    const check = async (answer: ReturnType<typeof put>, id: keyof typeof PROBLEMS): Promise<void> => {
      const { statusCode, headers, body } = await answer;
      const problem = JSON.parse(body) as Problem;
      expect([statusCode, headers['content-type'], problem.type, problem.title]).toEqual([
        PROBLEMS[id].status,
        'application/problem+json; charset=utf-8',
        `/problems/${id}`,
        PROBLEMS[id].title,
      ]);
    };
    await check(put('{"n":1}'), 'store-unavailable');
    await check(put('{"n":2}'), 'internal');
    await check(put('{'), 'invalid-request');
    await check(put(''), 'invalid-request');
    await check(put('{"__proto__":{"n":1}}'), 'invalid-request');
    await check(put(`{"n":${'1'.repeat(200)}}`), 'content-too-large');
    await check(put('n=1', 'application/x-www-form-urlencoded'), 'unsupported-media-type');
    await check(app.inject('/things/%zz'), 'invalid-request');
    await check(app.inject(`/things/${'a'.repeat(3_000)}`), 'uri-too-long');
    await check(app.inject('/other'), 'not-found');
    await check(app.inject({ method: 'POST', url: '/things/a' }), 'method-not-allowed');
    expect((await app.inject({ method: 'POST', url: '/things/a' })).headers['allow']).toBe('GET, HEAD, PUT');
    expect((await put('{"n":1}')).headers['retry-after']).toBe('2');
    expect(logged.map((entry) => entry.message)).toEqual(['request failed']);
    expect((await put('{"n":2}')).body).not.toContain('secret');
  });

  it('takes an empty body for none, whatever its type is said to be', async () => {
    const { app } = start();
    app.delete('/things/:id', { handler: (_request, reply) => reply.code(204).send() });
    const headers = { 'content-type': 'application/json' };
    expect((await app.inject({ method: 'DELETE', url: '/things/a', headers })).statusCode).toBe(204);
  });

  it('A08 documents each problem that a route may answer', () => {
    expect(
      problemsOf({ schema: { body: {} }, config: { api: { problems: ['conflict'] } } as object }),
    ).toEqual(['invalid-request', 'conflict', 'content-too-large', 'unsupported-media-type', 'internal']);
  });

  it('puts the security headers on every answer', async () => {
    const { app } = start();
    for (const url of ['/things/a', '/other', '/things/%zz']) {
      const { headers } = await app.inject(url);
      expect(headers['x-content-type-options'], url).toBe('nosniff');
      expect(headers['content-security-policy'], url).toContain("default-src 'none'");
    }
  });

  it('refuses what is no HTTP, and header fields without end, on the wire', async () => {
    const { app } = start();
    const port = await listenApi(app, '127.0.0.1', 0);
    const say = (bytes: string) =>
      new Promise<string>((resolve) => {
        let got = '';
        const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
        socket.on('data', (chunk) => (got += chunk.toString()));
        socket.on('error', () => undefined);
        socket.on('close', () => {
          resolve(got);
        });
      });
    expect(await say('REGISTER sip:a SIP/2.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 .*problem\+json/s);
    expect(await say(`GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
  });

  it('a busy port is a typed error', async () => {
    const { app } = start();
    const port = await listenApi(app, '127.0.0.1', 0);
    const other = sample().app;
    await expect(listenApi(other, '127.0.0.1', port)).rejects.toThrow(AddressInUse);
    await other.close();
  });
});

describe('the problem table', () => {
  it('A08 has a status of its class, a title and a help text in each row', () => {
    for (const id of PROBLEM_IDS) {
      const { status, title, help } = PROBLEMS[id];
      expect(status, id).toBeGreaterThanOrEqual(400);
      expect(title.length, id).toBeGreaterThan(5);
      expect(help, id).toMatch(/\.$/);
    }
  });
});
