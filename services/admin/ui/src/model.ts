/** What the REST interface answers, as far as the pages show it. */

export interface PageOf<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}

export interface EdgeStatus {
  readonly id: string;
  readonly epoch: number;
  readonly ready: { readonly ok: boolean; readonly reason?: string };
  readonly storeConnected: boolean;
  readonly listeners: readonly {
    readonly transport: string;
    readonly address: string;
    readonly port: number;
  }[];
  readonly requests: Readonly<Record<string, number>>;
  readonly answers: Readonly<Record<string, number>>;
  readonly refusals: Readonly<Record<string, number>>;
  readonly delivered: number;
  readonly flows: Readonly<Record<string, number>>;
  readonly transactions: number;
  readonly inner: Readonly<
    Record<string, { readonly up: number; readonly connections: number; readonly pending: number }>
  >;
  readonly trace: {
    readonly entries: number;
    readonly bytes: number;
    readonly kept: number;
    readonly percent: number;
    readonly active: number;
  };
  readonly cpu: number;
  readonly memory: number;
}

export interface EdgeHealth {
  readonly id: string;
  readonly inner: string;
  readonly reachable: boolean;
  readonly reason?: string;
  readonly status?: EdgeStatus;
}

export interface Moment {
  readonly at: number;
  readonly register: number;
  readonly subscribe: number;
  readonly publish: number;
  readonly notify: number;
  readonly call: number;
  readonly other: number;
  readonly ok: number;
  readonly challenged: number;
  readonly refused: number;
  readonly failed: number;
  readonly flows: number;
  readonly cpu: number;
}

export interface Overview {
  readonly at: number;
  readonly version: string;
  readonly domains: number;
  readonly traces: number;
  readonly edges: readonly EdgeHealth[];
  readonly moments: readonly Moment[];
}

export interface BindingSummary {
  readonly id: string;
  readonly contact: string;
  readonly transport?: string;
  readonly userAgent?: string;
  readonly edge?: string;
  readonly expires: number;
}

export interface RegisteredAor {
  readonly aor: string;
  readonly version: number;
  readonly bindings: readonly BindingSummary[];
}

export interface Binding {
  readonly id: string;
  readonly contact: string;
  readonly params: string;
  readonly q?: number;
  readonly instance?: string;
  readonly callId: string;
  readonly cseq: number;
  readonly path: readonly string[];
  readonly userAgent?: string;
  readonly source?: string;
  readonly registeredAt: string;
  readonly refreshedAt: string;
  readonly expiresAt: string;
  readonly expires: number;
}

export interface Bindings {
  readonly aor: string;
  readonly version: number;
  readonly bindings: readonly Binding[];
}

export interface Subscription {
  readonly id: string;
  readonly resource: string;
  readonly event: string;
  readonly watcher: string;
  readonly contact: string;
  readonly expires: number;
  readonly notify: {
    readonly cseq: number;
    readonly delivery: string;
    readonly failures: number;
    readonly until?: string;
    /** When the last NOTIFY went, and the status of its answer. */
    readonly sentAt?: string;
    readonly status?: number;
  };
}

export interface LiveEvent {
  readonly at: string;
  readonly kind: string;
  readonly aor: string;
  readonly binding: string;
  readonly contact: string;
  readonly actor?: string;
}

export interface Domain {
  readonly name: string;
  readonly realm?: string;
  readonly [setting: string]: unknown;
}

export interface User {
  readonly aor: string;
  readonly user: string;
  readonly domain: string;
  readonly authUser: string;
  readonly realm: string;
  readonly enabled: boolean;
  readonly displayName?: string;
  readonly algorithms: readonly string[];
  readonly [setting: string]: unknown;
}

export interface Flow {
  readonly id: string;
  readonly transport: string;
  readonly remote: { readonly address: string; readonly port: number };
  readonly local: { readonly address: string; readonly port: number };
}

export interface Lifeline {
  readonly id: string;
  readonly kind: 'phone' | 'edge' | 'registrar' | 'presence' | 'store';
  readonly name: string;
  readonly detail: string;
}

export interface Step {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly kind: 'request' | 'response' | 'commit';
  readonly label: string;
  readonly tone: 'plain' | 'good' | 'challenge' | 'refused';
  readonly note: string;
  readonly refusal?: {
    readonly status: number;
    readonly label?: string;
    readonly rule?: string;
    readonly by: string;
  };
  readonly callId?: string;
  readonly cseq?: string;
  readonly transport?: string;
  readonly took?: number;
  readonly repeated?: boolean;
  readonly size?: number;
  readonly message?: string;
}

export interface Ladder {
  readonly aor: string;
  readonly tracedUntil?: string;
  readonly edges: readonly {
    readonly id: string;
    readonly reachable: boolean;
    readonly reason?: string;
    readonly messages: number;
  }[];
  readonly lifelines: readonly Lifeline[];
  readonly steps: readonly Step[];
}
