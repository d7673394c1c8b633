import fc from 'fast-check';
import type { ModelContact, ModelPolicy, ModelRegister } from './reference.ts';

/** What is done at one time: all of it at once, on three registrars. */
export interface Step {
  /** Seconds that pass before it. */
  readonly after: number;
  readonly acts: readonly Act[];
}

export type Act =
  | {
      readonly kind: 'register';
      readonly user: string;
      readonly request: ModelRegister;
      /** One registrar, or two when the phone repeats itself over another edge. */
      readonly replicas: readonly number[];
    }
  | { readonly kind: 'sweep'; readonly replica: number }
  /** An operator ends the bindings of a Contact, if there are any. */
  | { readonly kind: 'delete'; readonly user: string; readonly uri: string };

export interface Plan {
  readonly policy: ModelPolicy;
  readonly steps: readonly Step[];
}

export const REPLICAS = 3;
const USERS = ['alice', 'bob'] as const;
const CALL_IDS = ['c1', 'c2', 'c3', 'c4'] as const;
const URIS = ['a', 'b', 'c', 'd', 'e'].map((name) => `sip:${name}@192.0.2.1:5060`);
const INSTANCES = ['<urn:uuid:1>', '<urn:uuid:2>'] as const;

const contact = fc
  .record(
    {
      uri: fc.constantFrom(...URIS),
      device: fc.oneof(
        { weight: 3, arbitrary: fc.constant({}) },
        { weight: 2, arbitrary: fc.record({ instance: fc.constantFrom(...INSTANCES) }) },
        {
          weight: 2,
          arbitrary: fc.record({
            instance: fc.constantFrom(...INSTANCES),
            regId: fc.constantFrom(1, 2),
          }),
        },
        { weight: 1, arbitrary: fc.constant({ regId: 1 }) },
      ),
      q: fc.constantFrom(0, 500, 1000),
      expires: fc.oneof(
        { weight: 2, arbitrary: fc.constantFrom(0) },
        { weight: 5, arbitrary: fc.constantFrom(60, 90, 600, 7200) },
        { weight: 1, arbitrary: fc.constantFrom(5, 99_999) },
      ),
    },
    { requiredKeys: ['uri', 'device'] },
  )
  .map(({ device, ...rest }): ModelContact => ({ ...rest, ...device }));

const action: fc.Arbitrary<ModelRegister['action']> = fc.oneof(
  { weight: 2, arbitrary: fc.constant('query' as const) },
  { weight: 1, arbitrary: fc.constant('clear' as const) },
  { weight: 9, arbitrary: fc.array(contact, { minLength: 1, maxLength: 1 }) },
  // A request names a Contact once; what two of the same would mean is nobody's business.
  {
    weight: 4,
    arbitrary: fc.uniqueArray(contact, { minLength: 2, maxLength: 3, selector: ({ uri }) => uri }),
  },
);

const replica = fc.nat(REPLICAS - 1);
const register = fc
  .record({
    user: fc.constantFrom(...USERS),
    callId: fc.constantFrom(...CALL_IDS),
    ahead: fc.nat(12),
    action,
    replicas: fc.oneof(
      { weight: 5, arbitrary: fc.tuple(replica) },
      { weight: 1, arbitrary: fc.tuple(replica, replica) },
    ),
  })
  .map(({ callId, ahead, action: what, ...rest }) => ({
    kind: 'register' as const,
    ...rest,
    request: { callId, cseq: ahead, action: what },
  }));

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 12, arbitrary: register },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('sweep' as const), replica }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      user: fc.constantFrom(...USERS),
      uri: fc.constantFrom(...URIS),
    }),
  },
);

/** CSeqs mostly rise: what was drawn is how far ahead a request is of its step. */
const CSEQ_PER_STEP = 8;
const raised = (steps: readonly Step[]): Step[] =>
  steps.map((step, index) => ({
    ...step,
    acts: step.acts.map((one) =>
      one.kind === 'register'
        ? { ...one, request: { ...one.request, cseq: one.request.cseq + index * CSEQ_PER_STEP } }
        : one,
    ),
  }));

export const plans = (longest: number): fc.Arbitrary<Plan> =>
  fc.record({
    policy: fc.record({
      min: fc.constant(60),
      usual: fc.constantFrom(120, 3600),
      max: fc.constant(7200),
      contacts: fc.constantFrom(2, 3, 10),
      onLimit: fc.constantFrom('reject' as const, 'evict-oldest' as const, 'replace' as const),
    }),
    steps: fc
      .array(
        fc.record({
          after: fc.oneof(
            { weight: 3, arbitrary: fc.constant(0) },
            { weight: 2, arbitrary: fc.integer({ min: 1, max: 100 }) },
          ),
          acts: fc.array(act, { minLength: 1, maxLength: 8 }),
        }),
        { minLength: 1, maxLength: longest, size: 'max' },
      )
      .map(raised),
  });
