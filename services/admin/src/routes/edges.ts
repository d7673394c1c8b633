import { Type } from 'typebox';
import type { Static } from 'typebox';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import type { EdgeStatus } from '@rollcall/trace';
import { secured } from '../auth/access.ts';
import type { AdminContext } from '../context.ts';
import type { EdgeAnswer } from '../trace/live-edges.ts';
import { EdgeHealthSchema } from '../trace/schemas.ts';
import type { EdgeHealth } from '../trace/schemas.ts';

const Place = Type.Object({ address: Type.String(), port: Type.Integer() });
const FlowView = Type.Object(
  { id: Type.String(), transport: Type.String(), remote: Place, local: Place },
  { title: 'Flow' },
);
const EdgeParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 255 }) });
const MAX_FLOWS = 1_000;
const DEFAULT_FLOWS = 200;

/** An edge with what it says of itself, or why it says nothing. */
export function healthOf(answer: EdgeAnswer<EdgeStatus>): EdgeHealth {
  const { id, inner } = answer.lease;
  if (!answer.ok) return { id, inner, reachable: false, reason: answer.reason };
  const { listeners, ...status } = answer.value;
  return { id, inner, reachable: true, status: { ...status, listeners: [...listeners] } };
}

/** One edge: how it is, and its stream flows. */
export function edgeRoutes(app: ApiApp, context: AdminContext): void {
  const { liveEdges } = context;

  app.get('/v1/edges/:id', {
    schema: {
      tags: ['operations'],
      summary: 'Read how an edge is, as it says itself',
      params: EdgeParams,
      response: { 200: EdgeHealthSchema },
    },
    config: secured('read', ['not-found'], { everyDomain: true }),
    handler: async (request) => {
      const answer = (await liveEdges.statuses()).find(({ lease }) => lease.id === request.params.id);
      if (answer === undefined) throw new ProblemError('not-found', 'no such edge lives');
      return healthOf(answer);
    },
  });

  app.get('/v1/edges/:id/flows', {
    schema: {
      tags: ['operations'],
      summary: 'List the stream flows of an edge',
      description:
        'TCP, TLS, WS and WSS connections that are open now. A UDP flow is no more than a pair of addresses and is not listed.',
      params: EdgeParams,
      querystring: Type.Object(
        { limit: Type.Integer({ minimum: 1, maximum: MAX_FLOWS, default: DEFAULT_FLOWS }) },
        { additionalProperties: false },
      ),
      response: { 200: Type.Object({ total: Type.Integer(), items: Type.Array(FlowView) }) },
    },
    config: secured('read', ['not-found', 'edges-unreachable'], { everyDomain: true }),
    handler: async (request) => {
      const answer = await liveEdges.flows(request.params.id, request.query.limit);
      if (answer === undefined) throw new ProblemError('not-found', 'no such edge lives');
      if (!answer.ok) throw new ProblemError('edges-unreachable', answer.reason);
      return answer.value as { total: number; items: Static<typeof FlowView>[] };
    },
  });
}
