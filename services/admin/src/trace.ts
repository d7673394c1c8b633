import type { FastifyRequest } from 'fastify';
import type { ApiApp } from '@rollcall/http/api';
import type { ATTRIBUTES, Span, Tracing } from '@rollcall/telemetry';

/** Names for the spans of requests; telemetry has them, `compose.ts` hands them in. */
export interface SpanNames {
  readonly span: string;
  readonly attributes: typeof ATTRIBUTES;
}

/** The handler seam: one span for each request, current in the handler, under the caller's traceparent if there is one. */
export function traceRequests(app: ApiApp, tracing: Tracing, { span: name, attributes }: SpanNames): void {
  if (!tracing.enabled) return;
  const spans = new WeakMap<FastifyRequest, Span>();
  app.addHook('onRequest', (request, _reply, done) => {
    const { traceparent } = request.headers;
    const facts = {
      [attributes.httpMethod]: request.method,
      [attributes.httpRoute]: request.routeOptions.url,
    };
    const span = tracing.start(
      name,
      facts,
      typeof traceparent === 'string' ? traceparent : undefined,
      'server',
    );
    spans.set(request, span);
    span.within(done);
  });
  app.addHook('onResponse', (request, reply, done) => {
    const span = spans.get(request);
    span?.set({ [attributes.httpStatus]: reply.statusCode });
    span?.end();
    done();
  });
}
