import type { LadderData } from '../../src/trace/schemas.ts';

/** What the REST interface answers, as far as the pages show it: taken from its schemas where they stand by themselves. */

export interface PageOf<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}

export type { EdgeHealth, Moment, Overview } from '../../src/trace/schemas.ts';

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
  /** What the edge last found out by asking the device, where it asks. */
  readonly reachability?: { readonly reachable: boolean; readonly rttMs?: number; readonly at: string };
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

export type { EventData as LiveEvent } from '../../src/events/event-schema.ts';

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

export type Ladder = LadderData;
export type Lifeline = LadderData['lifelines'][number];
export type Step = LadderData['steps'][number];
