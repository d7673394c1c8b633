/** One way in which the edge refuses a request: it feeds the reply, the metric, the log field and the documentation. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
  /** The rule that wants it. */
  readonly section: string;
  /** Metric label and log field. */
  readonly label: string;
  /** A client may come back (RFC 3261 §21.5.4); the reply carries Retry-After. */
  readonly retry?: true;
}

/** Every refusal of the edge (invariant 10); the registrar and presence have tables of their own. */
export const REFUSALS = {
  badCredentials: { status: 400, reason: 'Bad Request', section: 'RFC 7616 §3.4', label: 'bad-credentials' },
  digestUri: {
    status: 400,
    reason: 'Digest URI Mismatch',
    section: 'RFC 8760 §2.6 item 6',
    label: 'digest-uri',
  },
  badRoute: { status: 400, reason: 'Bad Route', section: 'RFC 3261 §16.4', label: 'bad-route' },
  badUri: { status: 400, reason: 'Bad Request-URI', section: 'RFC 3261 §21.4.1', label: 'bad-uri' },
  unauthorized: { status: 401, reason: 'Unauthorized', section: 'RFC 3261 §22.2', label: 'unauthorized' },
  proxyAuthRequired: {
    status: 407,
    reason: 'Proxy Authentication Required',
    section: 'RFC 3261 §22.3',
    label: 'proxy-auth',
  },
  foreignTarget: {
    status: 404,
    reason: 'Not Found',
    section: 'RFC 3261 §21.4.4',
    label: 'foreign-target',
  },
  foreignDomain: {
    status: 403,
    reason: 'Domain Not Served',
    section: 'RFC 3261 §16.5',
    label: 'foreign-domain',
  },
  foreignRoute: {
    status: 403,
    reason: 'Relaying Denied',
    section: 'RFC 3261 §26.3.2.4',
    label: 'foreign-route',
  },
  foreignFrom: {
    status: 403,
    reason: 'From Is Not Yours',
    section: 'RFC 3261 §8.1.1.3, §22.1',
    label: 'foreign-from',
  },
  banned: { status: 403, reason: 'Forbidden', section: 'RFC 3261 §26.3.2.4', label: 'address-banned' },
  notFound: { status: 404, reason: 'Not Found', section: 'RFC 3261 §16.5', label: 'unknown-user' },
  foreignScheme: {
    status: 416,
    reason: 'Unsupported URI Scheme',
    section: 'RFC 3261 §8.2.2.1',
    label: 'foreign-scheme',
  },
  proxyRequire: {
    status: 420,
    reason: 'Bad Extension',
    section: 'RFC 3261 §16.3 item 5',
    label: 'proxy-require',
  },
  flowFailed: { status: 430, reason: 'Flow Failed', section: 'RFC 5626 §5.3.1', label: 'flow-failed' },
  nobodyRegistered: {
    status: 480,
    reason: 'Temporarily Unavailable',
    section: 'RFC 3261 §16.5',
    label: 'not-registered',
  },
  sipsNotAllowed: {
    status: 480,
    reason: 'Temporarily Unavailable',
    section: 'RFC 5630 §5.3',
    label: 'sips-not-allowed',
  },
  noDialog: {
    status: 481,
    reason: 'Call/Transaction Does Not Exist',
    section: 'RFC 3261 §12.2.2',
    label: 'no-dialog',
  },
  loop: { status: 482, reason: 'Loop Detected', section: 'RFC 3261 §16.3 item 4', label: 'loop' },
  tooManyHops: {
    status: 483,
    reason: 'Too Many Hops',
    section: 'RFC 3261 §16.3 item 3',
    label: 'max-forwards',
  },
  storeAway: {
    status: 503,
    reason: 'Service Unavailable',
    section: 'RFC 3261 §21.5.4',
    label: 'store-unavailable',
    retry: true,
  },
  innerAway: {
    status: 503,
    reason: 'Service Unavailable',
    section: 'RFC 3261 §21.5.4',
    label: 'inner-unavailable',
    retry: true,
  },
  innerSlow: {
    status: 503,
    reason: 'Service Unavailable',
    section: 'RFC 3261 §21.5.4',
    label: 'inner-timeout',
    retry: true,
  },
  overload: {
    status: 503,
    reason: 'Service Unavailable',
    section: 'RFC 3261 §21.5.4',
    label: 'overload',
    retry: true,
  },
  throttled: {
    status: 503,
    reason: 'Service Unavailable',
    section: 'RFC 3261 §21.5.4',
    label: 'guess-throttled',
    retry: true,
  },
  draining: {
    status: 503,
    reason: 'Service Unavailable',
    section: 'RFC 3261 §21.5.4',
    label: 'draining',
    retry: true,
  },
  failure: {
    status: 500,
    reason: 'Server Internal Error',
    section: 'RFC 3261 §21.5.1',
    label: 'failure',
    retry: true,
  },
} as const satisfies Record<string, Refusal>;

export type RefusalName = keyof typeof REFUSALS;
export const REFUSAL_NAMES = Object.keys(REFUSALS) as readonly RefusalName[];
