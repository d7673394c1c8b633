/** One way to say no to a REGISTER. */
interface RefusalRow {
  readonly status: number;
  readonly phrase: string;
  /** Where the answer comes from. */
  readonly rfc: string;
  /** True when the stored bindings decided: such a refusal needs the true ones, not remembered ones. */
  readonly byState?: true;
  /** True when the same request may do later: the answer carries Retry-After (RFC 3261 §20.33). */
  readonly later?: true;
}

/**
 * Every refusal of a REGISTER (invariant 10): the reply, the metric label, the log field and the docs page come from here.
 * None is a 6xx (RFC 3261 §10.3).
 */
export const REGISTER_REFUSALS = {
  malformed: { status: 400, phrase: 'Bad Request', rfc: 'RFC 3261 §21.4.1' },
  'bad-wildcard': { status: 400, phrase: 'Invalid Request', rfc: 'RFC 3261 §10.3 step 6' },
  'bad-contact': { status: 400, phrase: 'Bad Contact', rfc: 'RFC 3261 §20.10' },
  'insecure-path': { status: 400, phrase: 'SIPS Contact Wants a SIPS Request-URI', rfc: 'RFC 5630 §5.2' },
  'several-flows': { status: 400, phrase: 'One Flow For Each Request', rfc: 'RFC 5626 §6' },
  'no-identity': { status: 403, phrase: 'Forbidden', rfc: 'RFC 3261 §10.3 step 3' },
  'not-allowed': { status: 403, phrase: 'Forbidden', rfc: 'RFC 3261 §10.3 step 4' },
  'foreign-domain': { status: 403, phrase: 'Domain Not Served Here', rfc: 'RFC 3261 §10.3 step 1' },
  'transport-not-allowed': { status: 403, phrase: 'Transport Not Allowed', rfc: 'local policy' },
  'contact-loops': { status: 403, phrase: 'Contact Leads Back Here', rfc: 'RFC 5627 §5.1' },
  'contact-scheme': { status: 403, phrase: 'Contact Of A Device Is A SIP URI', rfc: 'RFC 5627 §5.1' },
  'too-many-contacts': { status: 403, phrase: 'Too Many Contacts', rfc: 'local policy', byState: true },
  'unknown-aor': { status: 404, phrase: 'Not Found', rfc: 'RFC 3261 §10.3 step 5' },
  'aor-outside-domain': { status: 404, phrase: 'Not Found', rfc: 'RFC 3261 §10.3 step 5' },
  'wrong-method': { status: 405, phrase: 'Method Not Allowed', rfc: 'RFC 3261 §8.2.1' },
  'uri-scheme': { status: 416, phrase: 'Unsupported URI Scheme', rfc: 'RFC 3261 §8.2.2.1' },
  'bad-extension': { status: 420, phrase: 'Bad Extension', rfc: 'RFC 3261 §8.2.2.3' },
  'outbound-required': { status: 421, phrase: 'Extension Required', rfc: 'RFC 3261 §21.4.16, RFC 5626 §6' },
  'interval-too-brief': { status: 423, phrase: 'Interval Too Brief', rfc: 'RFC 3261 §10.3 step 7' },
  'no-outbound-hop': { status: 439, phrase: 'First Hop Lacks Outbound Support', rfc: 'RFC 5626 §11.6' },
  'stale-cseq': {
    status: 500,
    phrase: 'CSeq Out of Order',
    rfc: 'RFC 3261 §10.3 steps 6 and 7',
    byState: true,
  },
  contended: { status: 500, phrase: 'Server Internal Error', rfc: 'RFC 3261 §10.3 step 7', later: true },
  fault: { status: 500, phrase: 'Server Internal Error', rfc: 'RFC 3261 §21.5.1' },
  'store-unavailable': { status: 503, phrase: 'Service Unavailable', rfc: 'RFC 3261 §21.5.4', later: true },
  'push-unsupported': {
    status: 555,
    phrase: 'Push Notification Service Not Supported',
    rfc: 'RFC 8599 §8.1',
  },
  overloaded: { status: 503, phrase: 'Service Unavailable', rfc: 'RFC 3261 §21.5.4', later: true },
} as const satisfies Record<string, RefusalRow>;

/** Names a row of the refusal table; also the metric's label and what scenarios call `refused …`. */
export type RefusalLabel = keyof typeof REGISTER_REFUSALS;

/** A REGISTER that is refused. */
export interface Refusal {
  readonly label: RefusalLabel;
  /** For the log and a Warning; never for a machine. */
  readonly detail: string;
  /** Whole header lines that the answer carries: Min-Expires, Unsupported, Allow. */
  readonly headers?: string;
  /** Overrides the table's status where a parse problem knows better (such as 505 for a version). */
  readonly status?: number;
}

export const refuse = (label: RefusalLabel, detail: string, headers?: string): Refusal =>
  headers === undefined ? { label, detail } : { label, detail, headers };

export const refusalRow = (label: RefusalLabel): RefusalRow => REGISTER_REFUSALS[label];
