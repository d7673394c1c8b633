import { Type } from 'typebox';
import { ProblemError } from '@rollcall/http';

/** A DNS name or an IP address; an IPv6 address in brackets (RFC 3261 §25.1 `host`). */
export const DomainName = Type.String({
  pattern: '^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\])$',
  maxLength: 255,
  description: 'Domain name',
  examples: ['example.test'],
});

/** An AoR that is longer than the longest SIP line we take is none. */
export const AorText = Type.String({
  minLength: 1,
  maxLength: 2_048,
  description:
    'Address-of-record: sip:alice@example.test, alice@example.test or tel:+15551234, percent-encoded',
  examples: ['sip:alice@example.test'],
});

export const UserName = Type.String({
  minLength: 1,
  maxLength: 512,
  description:
    'User part of the address-of-record as plain text, without SIP escapes; percent-encoded in the path',
  examples: ['alice'],
});

export const Timestamp = Type.String({
  description: 'Time of RFC 3339',
  examples: ['2026-01-31T12:00:00.000Z'],
});

const MAX_PAGE = 1_000;
const DEFAULT_PAGE = 100;
/** Query of every listing. */
export const PageQuery = Type.Object(
  {
    cursor: Type.Optional(
      Type.String({ maxLength: 4_096, description: 'Where the page before this one ended: its `cursor`' }),
    ),
    limit: Type.Integer({
      minimum: 1,
      maximum: MAX_PAGE,
      default: DEFAULT_PAGE,
      description: 'Most items of a page',
    }),
  },
  { additionalProperties: false },
);

/** The `cursor` of an answer: absent on the last page. */
export const NextCursor = Type.Optional(
  Type.String({ description: 'Gives the next page; absent on the last one' }),
);

export const Nothing = Type.Null({ description: 'Done; no body' });

/** Cursors are opaque to clients and safe in a URL, whatever octets they hold. */
export const toCursor = (position: string | undefined): { cursor?: string } =>
  position === undefined ? {} : { cursor: Buffer.from(position, 'utf8').toString('base64url') };
/** Throws a problem when no answer of ours had that cursor. */
export function fromCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const position = Buffer.from(cursor, 'base64url').toString('utf8');
  if (toCursor(position).cursor === cursor) return position;
  throw new ProblemError('invalid-request', undefined, {
    errors: [{ at: 'query/cursor', detail: 'is no cursor of a page before' }],
  });
}
