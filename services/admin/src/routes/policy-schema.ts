import { Type } from 'typebox';
import type { Static } from 'typebox';
import { ProblemError } from '@rollcall/http';
import {
  DIGEST_ALGORITHMS,
  FROM_POLICIES,
  ON_LIMIT,
  OUTBOUND_MODES,
  PATH_MODES,
  SIP_TRANSPORTS,
  WATCHER_POLICIES,
} from '@rollcall/location';
import type { PolicySettings } from '@rollcall/location';

/** RFC 3261 §20.19: delta-seconds up to 2^32−1. */
const MAX_SECONDS = 4_294_967_295;
/** As many as one REGISTER may name and more. */
const MAX_CONTACTS = 1_000;
/** Percent: more would make devices come twice as often. */
const MAX_JITTER = 50;
const MAX_LIST = 16;

const interval = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_SECONDS, description }));
const word = <T extends string>(words: readonly T[]) => Type.Union(words.map((one) => Type.Literal(one)));
const choice = <T extends string>(words: readonly T[], description: string) =>
  Type.Optional(Type.Unsafe<T>(Type.Union(word(words).anyOf, { description })));
const several = <T extends string>(words: readonly T[], description: string) =>
  Type.Optional(Type.Array(Type.Unsafe<T>(word(words)), { minItems: 1, uniqueItems: true, description }));

/** Settings of a policy as a domain or a user has them; what is left out is unset. */
export const POLICY_FIELDS = {
  minExpires: interval('Shortest registration in seconds; shorter ones get 423 (RFC 3261 §10.3 step 7)'),
  maxExpires: interval('Longest registration in seconds; longer ones are shortened'),
  defaultExpires: interval('Seconds of a registration that does not say'),
  expiresJitter: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: MAX_JITTER,
      description: 'Percent by which a granted interval is shortened at most; never below the shortest',
    }),
  ),
  maxContacts: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: MAX_CONTACTS,
      description: 'Most bindings of an address-of-record',
    }),
  ),
  onLimit: choice(
    ON_LIMIT,
    'What becomes of one more: refused with 403, or the bindings refreshed longest ago, those that lead nowhere, or all others make room',
  ),
  transports: several(SIP_TRANSPORTS, 'The only transports that may register; others get 403'),
  thirdParty: Type.Optional(Type.Boolean({ description: 'false: grants do not count (RFC 3261 §10.2)' })),
  algorithms: several(
    DIGEST_ALGORITHMS,
    'The only digest algorithms that are offered and taken, strongest first',
  ),
  path: choice(
    PATH_MODES,
    'RFC 3327: ignored, stored whatever the device says, or refused with 420 without Supported: path',
  ),
  outbound: choice(
    OUTBOUND_MODES,
    'RFC 5626: ignored, answered with Require: outbound, or demanded of every device with 421',
  ),
  flowTimer: Type.Optional(
    Type.Integer({
      minimum: 10,
      maximum: 3_600,
      description: 'Flow-Timer of connections in seconds (RFC 5626)',
    }),
  ),
  gruu: Type.Optional(Type.Boolean({ description: 'Give GRUUs to devices that ask for them (RFC 5627)' })),
  serviceRoute: Type.Optional(
    Type.Array(
      Type.String({
        pattern: '^<sips?:[!-;=?-~]+;lr(?:;[!-;=?-~]*)?>$',
        maxLength: 512,
        examples: ['<sip:proxy.example.test;lr>'],
      }),
      { minItems: 1, maxItems: MAX_LIST, description: 'Service-Route values, topmost first (RFC 3608 §6.3)' },
    ),
  ),
  push: Type.Optional(
    Type.Array(Type.String({ pattern: '^[a-z0-9.-]{1,64}$', examples: ['apns'] }), {
      maxItems: MAX_LIST,
      uniqueItems: true,
      description: 'Push notification services that are served (RFC 8599 pn-provider); others get 555',
    }),
  ),
  watchers: choice(WATCHER_POLICIES, 'Who may watch a user without rules of their own'),
  from: choice(
    FROM_POLICIES,
    'Whom requests other than REGISTER may say they are from: anybody, or only the authenticated user, their aliases, whom they have a grant for, and anonymous.invalid; others get 403',
  ),
} as const;

export const PolicyBody = Type.Object(POLICY_FIELDS, { additionalProperties: false, title: 'Policy' });
export type PolicyBodyValue = Static<typeof PolicyBody>;

/** The settings, when they do not contradict each other. */
export function toPolicy(body: PolicyBodyValue): PolicySettings {
  const { minExpires = 1, maxExpires = MAX_SECONDS, defaultExpires = minExpires } = body;
  if (minExpires > defaultExpires || defaultExpires > maxExpires) {
    throw new ProblemError('invalid-request', 'minExpires ≤ defaultExpires ≤ maxExpires does not hold');
  }
  return body;
}
