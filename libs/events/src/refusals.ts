/** One row for each way in which a SUBSCRIBE or PUBLISH is refused: the reply, the metric label and the docs come from here. */
export interface RefusalRow {
  readonly status: number;
  /** Reason phrase, where the usual one says too little. */
  readonly reason?: string;
  readonly rfc: string;
  /** True where the sender may simply try again later: the answer carries Retry-After. */
  readonly retry?: boolean;
}

export const REFUSALS = {
  malformed: { status: 400, rfc: 'RFC 3261 §21.4.1' },
  'no-contact': { status: 400, reason: 'Contact Missing', rfc: 'RFC 6665 §8.1.1, RFC 3261 §12.1.1' },
  'many-contacts': {
    status: 400,
    reason: 'More Than One Contact',
    rfc: 'RFC 3261 §8.1.1.8, §12.1.1',
  },
  'contact-no-target': { status: 400, reason: 'Contact Names No Address', rfc: 'RFC 3261 §10.2.2, §12.1.1' },
  'empty-publication': { status: 400, reason: 'Body Missing', rfc: 'RFC 3903 §6 step 5' },
  'bad-document': { status: 400, reason: 'Malformed Document', rfc: 'RFC 3903 §6 step 5' },
  'not-allowed': { status: 403, rfc: 'RFC 6665 §4.2.1.3' },
  'no-identity': { status: 403, reason: 'Identity Missing', rfc: 'RFC 3325 §5' },
  'dialog-shared': { status: 403, reason: 'Dialog Sharing Not Supported', rfc: 'RFC 6665 §4.5.2' },
  'no-such-resource': { status: 404, rfc: 'RFC 6665 §4.2.1.1, RFC 3903 §6 step 1' },
  method: { status: 405, rfc: 'RFC 3261 §8.2.1' },
  'not-acceptable': { status: 406, rfc: 'RFC 6665 §4.1.2.1' },
  'precondition-failed': { status: 412, rfc: 'RFC 3903 §6 step 3' },
  'body-too-large': { status: 413, rfc: 'RFC 3261 §21.4.11' },
  'publications-full': { status: 413, reason: 'Too Many Publications', rfc: 'RFC 3903 §14.2', retry: true },
  'unsupported-body': { status: 415, rfc: 'RFC 3903 §6 step 5' },
  'bad-extension': { status: 420, rfc: 'RFC 3261 §8.2.2.3' },
  'extension-required': { status: 421, rfc: 'RFC 4662 §4.1' },
  'interval-too-brief': { status: 423, rfc: 'RFC 6665 §4.2.1.1, RFC 3903 §6 step 4' },
  'no-subscription': {
    status: 481,
    reason: 'Subscription Does Not Exist',
    rfc: 'RFC 6665 §4.1.2.2, RFC 3261 §12.2.2',
  },
  'bad-event': { status: 489, rfc: 'RFC 6665 §4.2.1.1, §8.3.2' },
  'out-of-order': { status: 500, reason: 'CSeq Out Of Order', rfc: 'RFC 3261 §12.2.2' },
  contended: { status: 500, reason: 'Too Much Contention', rfc: 'RFC 3261 §21.5.1', retry: true },
  'store-unavailable': { status: 503, rfc: 'RFC 3261 §21.5.4', retry: true },
  overloaded: { status: 503, rfc: 'RFC 3261 §21.5.4', retry: true },
} as const satisfies Record<string, RefusalRow>;

export type RefusalLabel = keyof typeof REFUSALS;

export interface Refusal {
  readonly label: RefusalLabel;
  /** Whole header lines that the answer carries beside the usual ones. */
  readonly headers: string;
}

export const refusal = (label: RefusalLabel, headers = ''): Refusal => ({ label, headers });
