import { Type } from 'typebox';
import type { Static } from 'typebox';
import { CHANGE_KINDS } from '@rollcall/location';
import type { ChangeKind } from '@rollcall/location';

/** What may happen to a binding (RFC 3680 §3.6). */
export const ChangeKindSchema = Type.Unsafe<ChangeKind>(
  Type.Union(CHANGE_KINDS.map((kind) => Type.Literal(kind))),
);

/** One event of `GET /v1/events` as its `data` line carries it. */
export const EventSchema = Type.Object(
  {
    at: Type.String(),
    kind: ChangeKindSchema,
    aor: Type.String(),
    binding: Type.String({ description: 'Id of the binding' }),
    contact: Type.String(),
    actor: Type.Optional(Type.String()),
  },
  { title: 'Event', description: 'One data line' },
);

export type EventData = Static<typeof EventSchema>;
