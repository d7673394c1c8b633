/** What became of a request to an inner service. */
export type InnerOutcome =
  /** `below`: the octets of the answer without our Via. */
  | { readonly kind: 'response'; readonly status: number; readonly below: string }
  /** No replica can be reached, or too many requests wait. */
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'timeout' };

/** The way to the replicas of one inner service: SIP over few long-lived TCP connections. */
export interface InnerLink {
  /** `key` chooses the replica; `branch` is that of the top Via of `message`, an octet string. `done` is called once. */
  request(key: string, branch: string, message: string, done: (outcome: InnerOutcome) => void): void;
}

/** What the core logs: rare events only. */
export interface EdgeLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}
