import { Type } from 'typebox';
import type { Static } from 'typebox';

const OneOf = <const T extends string>(...values: readonly T[]) =>
  Type.Unsafe<T>({ type: 'string', enum: values });
const Counts = (description: string) => Type.Record(Type.String(), Type.Integer(), { description });

/** How an edge is, as it says itself: `EdgeStatus` of the trace package. */
const EdgeStatusSchema = Type.Object(
  {
    id: Type.String(),
    epoch: Type.Integer({ description: 'When it was started, ms since 1970' }),
    ready: Type.Object({ ok: Type.Boolean(), reason: Type.Optional(Type.String()) }),
    storeConnected: Type.Boolean(),
    listeners: Type.Array(
      Type.Object({ transport: Type.String(), address: Type.String(), port: Type.Integer() }),
    ),
    requests: Counts('Requests from phones since the start, by method'),
    answers: Counts('Answers to phones since the start, by status'),
    refusals: Counts('Refusals since the start, by label (docs/refusals.md)'),
    delivered: Type.Integer({ description: 'Requests from inside sent to phones since the start' }),
    flows: Counts('Stream flows open now, by transport'),
    transactions: Type.Integer({ description: 'Transactions that have not ended' }),
    inner: Type.Record(
      Type.String(),
      Type.Object({ up: Type.Integer(), connections: Type.Integer(), pending: Type.Integer() }),
      { description: 'Connections to registrar and presence, and requests that wait there' },
    ),
    trace: Type.Object(
      {
        entries: Type.Integer(),
        bytes: Type.Integer(),
        kept: Type.Integer({ description: 'Since the start' }),
        percent: Type.Number({ description: 'Of the exchanges, kept just now' }),
        active: Type.Integer({ description: 'AoRs that are traced' }),
      },
      { description: 'Messages kept to be looked at' },
    ),
    cpu: Type.Number({ description: 'Seconds of processor time since the start' }),
    memory: Type.Integer({ description: 'Bytes of resident memory' }),
  },
  { title: 'EdgeStatus' },
);

/** An edge as admin sees it. */
export const EdgeHealthSchema = Type.Object(
  {
    id: Type.String(),
    inner: Type.String({ description: 'Inner SIP address, host:port' }),
    reachable: Type.Boolean(),
    reason: Type.Optional(Type.String({ description: 'Why it could not be asked' })),
    status: Type.Optional(EdgeStatusSchema),
  },
  { title: 'EdgeHealth' },
);

export type EdgeHealth = Static<typeof EdgeHealthSchema>;

const LifelineSchema = Type.Object(
  {
    id: Type.String(),
    kind: OneOf('phone', 'edge', 'registrar', 'presence', 'store'),
    name: Type.String(),
    detail: Type.String(),
  },
  { title: 'Lifeline' },
);

const StepSchema = Type.Object(
  {
    at: Type.Integer({ description: 'Microseconds since 1970' }),
    from: Type.String({ description: 'Id of a lifeline' }),
    to: Type.String({ description: 'Id of a lifeline' }),
    kind: OneOf('request', 'response', 'commit'),
    label: Type.String({ description: 'Method, or status and reason' }),
    tone: OneOf('plain', 'good', 'challenge', 'refused'),
    note: Type.String({ description: 'What happens here, in plain words' }),
    refusal: Type.Optional(
      Type.Object({
        status: Type.Integer(),
        label: Type.Optional(Type.String({ description: 'As in docs/refusals.md and the metrics' })),
        rule: Type.Optional(Type.String({ description: 'RFC and section' })),
        by: Type.String({ description: 'Kind of lifeline that refused' }),
      }),
    ),
    callId: Type.Optional(Type.String()),
    cseq: Type.Optional(Type.String()),
    transport: Type.Optional(Type.String()),
    took: Type.Optional(Type.Number({ description: 'Microseconds since the request, or of a commit' })),
    repeated: Type.Optional(Type.Boolean({ description: 'The same octets were seen before on this way' })),
    size: Type.Optional(Type.Integer({ description: 'Octets' })),
    message: Type.Optional(Type.String({ description: 'The message, credentials masked' })),
  },
  { title: 'Step' },
);

/** The ladder of an AoR. */
export const LadderSchema = Type.Object(
  {
    aor: Type.String(),
    tracedUntil: Type.Optional(Type.String({ description: 'While the AoR is traced: all of it is kept' })),
    edges: Type.Array(
      Type.Object({
        id: Type.String(),
        reachable: Type.Boolean(),
        reason: Type.Optional(Type.String()),
        messages: Type.Integer(),
      }),
      { description: 'Who was asked' },
    ),
    lifelines: Type.Array(LifelineSchema),
    steps: Type.Array(StepSchema),
  },
  { title: 'Ladder' },
);

export type LadderData = Static<typeof LadderSchema>;

/** One moment of the overview's curves: rates since the moment before, each second. */
export const MomentSchema = Type.Object(
  {
    at: Type.Integer({ description: 'Milliseconds since 1970' }),
    register: Type.Number(),
    subscribe: Type.Number(),
    publish: Type.Number(),
    notify: Type.Number(),
    call: Type.Number(),
    other: Type.Number(),
    ok: Type.Number({ description: 'Answers of 2xx' }),
    challenged: Type.Number({ description: 'Answers of 401 and 407' }),
    refused: Type.Number({ description: 'All other refusals' }),
    failed: Type.Number({ description: 'Answers of 5xx' }),
    flows: Type.Integer({ description: 'Stream flows open' }),
    cpu: Type.Number({ description: 'Processors that the edges use' }),
  },
  { title: 'Moment' },
);

export type Moment = Static<typeof MomentSchema>;

/** The installation at a glance. */
export const OverviewSchema = Type.Object(
  {
    at: Type.Integer({ description: 'Milliseconds since 1970' }),
    version: Type.String(),
    store: Type.Object({ connected: Type.Boolean() }),
    domains: Type.Integer(),
    edges: Type.Array(EdgeHealthSchema),
    traces: Type.Integer({ description: 'AoRs that are traced' }),
    moments: Type.Array(MomentSchema, { description: 'The last quarter of an hour, oldest first' }),
  },
  { title: 'Overview' },
);

export type Overview = Static<typeof OverviewSchema>;
