import type { PolicySettings } from '@rollcall/location';

/** Who and what exists before the first step, beside what a driver has anyway. */
export interface ScenarioWorld {
  /** Domains that are ours; the first is that of short names. */
  readonly domains: readonly string[];
  /** AoRs with an account. */
  readonly users: readonly string[];
  readonly grants: readonly { readonly identity: string; readonly aor: string }[];
  readonly aliases: readonly { readonly alias: string; readonly aor: string }[];
  /** What differs from the usual policy (minimum 60, default 3600, maximum 7200 seconds, 10 contacts). */
  readonly policy: PolicySettings;
}

/** A REGISTER as a scenario writes it: header values as they go on the wire. */
export interface RegisterFields {
  /** Request-URI. */
  readonly uri: string;
  readonly to: string;
  readonly from: string;
  /** AoR of the account that sends and authenticates; undefined: nobody does. */
  readonly identity: string | undefined;
  readonly callId: string;
  readonly cseq: number;
  readonly contacts: readonly string[];
  /** It comes through an edge, which adds a Path with `ob` (RFC 5626 §5.1). */
  readonly throughEdge: boolean;
  /** Further header fields in order, `Name: value`. */
  readonly headers: readonly string[];
}

/** What is expected of an answer. Only what is named is compared. */
export interface AnswerExpected {
  /** A status, or a row of the refusal table. */
  readonly status: number | { readonly refused: string };
  /** Contacts that are listed, as header values; their parameters that are named here must be equal, `expires` within 1 s. */
  readonly contacts: readonly string[];
  /** How many Contacts are listed in all. */
  readonly count?: number;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
}

/** A binding in the store, put there or expected. */
export interface ScenarioBinding {
  /** A Contact URI. */
  readonly contact: string;
  /** Seconds left. */
  readonly expires?: number;
  readonly callId?: string;
  readonly cseq?: number;
}

interface AtLine {
  /** Line in the file, for messages. */
  readonly line: number;
}
export type ScenarioStep = AtLine &
  (
    | { readonly kind: 'given'; readonly aor: string; readonly binding: ScenarioBinding }
    | {
        readonly kind: 'register';
        /** Seconds since the scenario began. */
        readonly at: number;
        readonly fields: RegisterFields;
      }
    | { readonly kind: 'answer'; readonly expected: AnswerExpected }
    /** The whole state of an AoR, in any order. */
    | {
        readonly kind: 'then';
        readonly at: number;
        readonly aor: string;
        readonly bindings: readonly ScenarioBinding[];
      }
  );

export interface Scenario {
  /** First comment line, without its ids. */
  readonly title: string;
  /** Acceptance ids that it shows: `R08`, `B07` … */
  readonly ids: readonly string[];
  readonly world: ScenarioWorld;
  readonly steps: readonly ScenarioStep[];
}
