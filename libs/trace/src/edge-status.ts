/** How an edge is, as it says itself; counters only rise. */
export interface EdgeStatus {
  readonly id: string;
  /** When it was started, ms since 1970. */
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
  /** Seconds of processor time, and bytes of resident memory. */
  readonly cpu: number;
  readonly memory: number;
}
