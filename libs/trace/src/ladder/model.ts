/** The story of a phone, drawn as a ladder: who takes part, and what goes from whom to whom. All texts are for people. */
export interface Ladder {
  readonly lifelines: readonly Lifeline[];
  readonly steps: readonly Step[];
}

export type LifelineKind = 'phone' | 'edge' | 'registrar' | 'presence' | 'store';

export interface Lifeline {
  readonly id: string;
  readonly kind: LifelineKind;
  readonly name: string;
  /** Address, software. */
  readonly detail: string;
}

export interface Step {
  /** Microseconds since 1970. */
  readonly at: number;
  /** Ids of lifelines. */
  readonly from: string;
  readonly to: string;
  readonly kind: 'request' | 'response' | 'commit';
  /** `REGISTER`, `401 Unauthorized`, `commit`. */
  readonly label: string;
  /** How the exchange stands with this step. */
  readonly tone: 'plain' | 'good' | 'challenge' | 'refused';
  /** What happens here, in plain words. */
  readonly note: string;
  readonly refusal?: StepRefusal;
  readonly callId?: string;
  /** `1 REGISTER` */
  readonly cseq?: string;
  readonly transport?: string;
  /** Microseconds since the request that this answers, or that a commit took. */
  readonly took?: number;
  /** The same octets were seen before on this way. */
  readonly repeated?: true;
  /** Octets of the message. */
  readonly size?: number;
  /** The message line by line, credentials masked. */
  readonly message?: string;
}

/** Why an answer is a no. */
export interface StepRefusal {
  readonly status: number;
  /** Label of the metric and of docs/refusals.md; absent for what a phone says. */
  readonly label?: string;
  /** The rule, as `RFC 3261 §10.3 step 7`. */
  readonly rule?: string;
  readonly by: LifelineKind;
}
