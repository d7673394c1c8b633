import { readFileSync } from 'node:fs';
import { Type } from 'typebox';
import type { ProblemId } from '@rollcall/http';
import { PROBLEM_IDS, PROBLEMS, ProblemError, problemType, SECURITY_HEADERS } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import { open } from '../auth/access.ts';

/** Everything from here and nothing else: no other host, no inline script or style. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const FILES = [
  { url: '/docs', file: 'docs.html', type: 'text/html; charset=utf-8' },
  { url: '/docs/docs.js', file: 'docs.js', type: 'text/javascript; charset=utf-8' },
  { url: '/docs/docs.css', file: 'docs.css', type: 'text/css; charset=utf-8' },
  { url: '/docs/icon.svg', file: 'public/icon.svg', type: 'image/svg+xml' },
] as const;

const ProblemPage = Type.Object(
  { type: Type.String(), title: Type.String(), status: Type.Integer(), help: Type.String() },
  { title: 'ProblemType' },
);

const pageOf = (id: ProblemId) => ({ type: problemType(id), ...PROBLEMS[id] });

/** The OpenAPI document, a page that shows it, and what the problem types mean. */
export function documentRoutes(app: ApiApp): void {
  app.get('/openapi.json', {
    schema: { hide: true },
    config: open(),
    handler: (_request, reply) => reply.type('application/json').send(JSON.stringify(app.swagger())),
  });

  for (const { url, file, type } of FILES) {
    const text = readFileSync(new URL(`../../ui/${file}`, import.meta.url));
    app.get(url, {
      schema: { hide: true },
      config: open(),
      handler: (_request, reply) =>
        reply
          .headers({ ...SECURITY_HEADERS, 'content-security-policy': PAGE_POLICY })
          .type(type)
          .send(text),
    });
  }

  app.get('/problems', {
    schema: {
      tags: ['problems'],
      summary: 'List the problem types (RFC 9457)',
      security: [],
      response: { 200: Type.Object({ items: Type.Array(ProblemPage) }) },
    } as const,
    config: open(),
    handler: () => ({ items: PROBLEM_IDS.map(pageOf) }),
  });

  app.get('/problems/:id', {
    schema: {
      tags: ['problems'],
      summary: 'Read what a problem type means',
      security: [],
      params: Type.Object({ id: Type.String({ maxLength: 64 }) }),
      response: { 200: ProblemPage },
    },
    config: open(['not-found']),
    handler: (request) => {
      const id = PROBLEM_IDS.find((known) => known === request.params.id);
      if (id === undefined) throw new ProblemError('not-found');
      return pageOf(id);
    },
  });
}
