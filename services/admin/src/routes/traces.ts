import { Type } from 'typebox';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import { epochMs } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import { aorDomain } from '@rollcall/location';
import { buildLadder, PCAP_TYPE, writePcap } from '@rollcall/trace';
import type { ActiveTrace } from '@rollcall/trace';
import { identityOf, secured } from '../auth/access.ts';
import { sees } from '../auth/identity.ts';
import type { AdminContext } from '../context.ts';
import { recordAct, visibleAor } from '../context.ts';
import { AorText, Nothing, Timestamp } from '../schemas.ts';
import { isoTime, shown } from '../text.ts';
import type { EdgeAnswer } from '../trace/live-edges.ts';
import { LadderSchema } from '../trace/schemas.ts';

const MAX_TRACE_S = 3_600;
const DEFAULT_TRACE_S = 600;
const MS_PER_S = 1_000;
const US_PER_MS = 1_000;
/** Messages of one ladder: more than anybody reads. */
const MAX_MESSAGES = 2_000;
const DEFAULT_MESSAGES = 300;

const AorParams = Type.Object({ aor: AorText });
const TraceQuery = Type.Object(
  {
    limit: Type.Integer({
      minimum: 1,
      maximum: MAX_MESSAGES,
      default: DEFAULT_MESSAGES,
      description: 'Most messages; the newest count',
    }),
  },
  { additionalProperties: false },
);
const TraceBody = Type.Object(
  {
    aor: AorText,
    seconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_TRACE_S,
        description: `How long; ${String(DEFAULT_TRACE_S)} when absent`,
      }),
    ),
  },
  { additionalProperties: false, title: 'TraceSettings' },
);
const TraceView = Type.Object({ aor: Type.String(), until: Timestamp }, { title: 'Trace' });

const viewOf = ({ aor, until }: ActiveTrace) => ({
  aor: shown(aor),
  until: isoTime(epochMs(Math.floor(until / US_PER_MS))),
});

/** Nobody can be asked: not the same as nothing having been seen. */
function mustReach(answers: readonly EdgeAnswer<unknown>[]): void {
  if (answers.length > 0 && answers.some(({ ok }) => ok)) return;
  const reasons = answers.flatMap((answer) => (answer.ok ? [] : [`${answer.lease.id}: ${answer.reason}`]));
  throw new ProblemError('edges-unreachable', reasons.length === 0 ? 'no edge lives' : reasons.join('; '));
}

/** A file name that is one on every system, whatever the AoR holds. */
const fileName = (aor: Aor): string =>
  `rollcall-${aor
    .slice(aor.indexOf(':') + 1)
    .replace(/[^A-Za-z0-9.@_-]/g, '_')
    .slice(0, 100)}.pcap`;

/** The packet-level view: what the edges have kept of an AoR, and whom they keep whole. */
export function traceRoutes(app: ApiApp, context: AdminContext): void {
  const { liveEdges, ports } = context;

  app.get('/v1/aors/:aor/trace', {
    schema: {
      tags: ['traces'],
      summary: 'Read the last exchanges of an address-of-record as a ladder',
      description:
        'Who sent what to whom and when, with the message, a note in plain words and the rule of a refusal. The edges keep a sample ' +
        'of what they send and receive, and all of an AoR that is traced. Credentials are masked.',
      params: AorParams,
      querystring: TraceQuery,
      response: { 200: LadderSchema },
    },
    config: secured('trace', ['not-found', 'edges-unreachable']),
    handler: async (request) => {
      const aor = await visibleAor(context, request, request.params.aor);
      const [{ entries, answers }, traces, leases] = await Promise.all([
        liveEdges.find(aor, request.query.limit),
        liveEdges.traces(),
        ports.edges.list(),
      ]);
      mustReach(answers);
      const until = traces.find((trace) => trace.aor === aor);
      const { lifelines, steps } = buildLadder(entries, { edges: leases });
      return {
        aor: shown(aor),
        ...(until === undefined ? {} : { tracedUntil: viewOf(until).until }),
        edges: answers.map((answer) => ({
          id: answer.lease.id,
          reachable: answer.ok,
          ...(answer.ok ? {} : { reason: answer.reason }),
          messages: answer.ok ? answer.value.length : 0,
        })),
        lifelines: [...lifelines],
        steps: steps.map((step) => ({ ...step })),
      };
    },
  });

  app.get('/v1/aors/:aor/trace.pcap', {
    schema: {
      tags: ['traces'],
      summary: 'Download the last exchanges of an address-of-record as a capture file',
      description:
        'For Wireshark: addresses, ports and times as they were, credentials masked. The hops between our services are in it as TCP; ' +
        'what came over TLS or WebSocket is decrypted, in datagrams.',
      params: AorParams,
      querystring: TraceQuery,
      response: {
        200: {
          description: 'A pcap file',
          content: { [PCAP_TYPE]: { schema: Type.String({ description: 'Octets of the file' }) } },
        },
      },
    },
    config: secured('trace', ['not-found', 'edges-unreachable']),
    handler: async (request, reply) => {
      const aor = await visibleAor(context, request, request.params.aor);
      const { entries, answers } = await liveEdges.find(aor, request.query.limit);
      mustReach(answers);
      await recordAct(context, request, 'trace.download', shown(aor));
      reply.raw.setHeader('content-disposition', `attachment; filename="${fileName(aor)}"`);
      return reply
        .type(PCAP_TYPE)
        .serializer(String)
        .send(Buffer.from(writePcap(entries)) as never);
    },
  });

  app.get('/v1/traces', {
    schema: {
      tags: ['traces'],
      summary: 'List the addresses-of-record that are traced',
      response: { 200: Type.Object({ items: Type.Array(TraceView) }) },
    },
    config: secured('trace'),
    handler: async (request) => {
      const identity = identityOf(request);
      const traces = await liveEdges.traces();
      return { items: traces.filter(({ aor }) => sees(identity, aorDomain(aor))).map(viewOf) };
    },
  });

  app.post('/v1/traces', {
    schema: {
      tags: ['traces'],
      summary: 'Trace an address-of-record for a limited time',
      description: `Every edge keeps all of its exchanges from now on, for ${String(MAX_TRACE_S)} s at most. Again: the time begins anew.`,
      body: TraceBody,
      response: { 201: TraceView },
    },
    config: secured('trace', ['not-found', 'conflict', 'edges-unreachable']),
    handler: async (request, reply) => {
      const aor = await visibleAor(context, request, request.body.aor);
      const until = Date.now() + (request.body.seconds ?? DEFAULT_TRACE_S) * MS_PER_S;
      await recordAct(context, request, 'trace.start', shown(aor));
      const answers = await liveEdges.start(aor, until);
      mustReach(answers);
      return reply.code(201).send(viewOf({ aor, until: until * US_PER_MS }));
    },
  });

  app.delete('/v1/traces/:aor', {
    schema: {
      tags: ['traces'],
      summary: 'Stop tracing an address-of-record',
      description: 'What has been kept stays until newer messages push it out.',
      params: AorParams,
      response: { 204: Nothing },
    },
    config: secured('trace', ['not-found']),
    handler: async (request, reply) => {
      const aor = await visibleAor(context, request, request.params.aor);
      await recordAct(context, request, 'trace.stop', shown(aor));
      await liveEdges.stop(aor);
      return reply.code(204).send(null);
    },
  });
}
