/** Digest algorithms as RFC 7616 §6.1 and RFC 8760 §2.1 name them, strongest first. */
export const DIGEST_ALGORITHMS = ['SHA-512-256', 'SHA-256', 'MD5'] as const;
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

/** Transports of SIP, as they stand in front of `Binding.source`. */
export const SIP_TRANSPORTS = ['udp', 'tcp', 'tls', 'ws', 'wss'] as const;
export type SipTransport = (typeof SIP_TRANSPORTS)[number];

/**
 * What becomes of a REGISTER that would leave more bindings than allowed. `reject`: 403. `evict-oldest`: the bindings that were
 * refreshed longest ago make room. `evict-unreachable`: those make room whose flow is gone or that are known to be unreachable, and
 * without such it is 403. `replace`: all bindings that the request does not name go.
 */
export const ON_LIMIT = ['reject', 'evict-oldest', 'evict-unreachable', 'replace'] as const;
export type OnLimit = (typeof ON_LIMIT)[number];

/**
 * RFC 3327 §5.3. `off`: Path is neither stored nor answered, and requests go to the Contact itself. `lazy`: stored whatever the
 * device says. `strict`: a Path whose device does not say `Supported: path` is refused with 420.
 */
export const PATH_MODES = ['off', 'lazy', 'strict'] as const;
export type PathMode = (typeof PATH_MODES)[number];

/**
 * RFC 5626 §6. `ignored`: reg-id tells flows apart, but nothing is promised. `supported`: `Require: outbound`, Flow-Timer, 439.
 * `required`: besides, a registration without it is refused with 421.
 */
export const OUTBOUND_MODES = ['ignored', 'supported', 'required'] as const;
export type OutboundMode = (typeof OUTBOUND_MODES)[number];

/** Who may watch the presence of a user who has no rules of their own. */
export const WATCHER_POLICIES = ['allow', 'confirm', 'block'] as const;
export type WatcherPolicy = (typeof WATCHER_POLICIES)[number];

/**
 * Whom a request may say it is from (RFC 3261 §8.1.1.3). `any`: anybody, and only what the edge asserts is proved. `own`: the
 * authenticated user by one of their names, whom they have a grant for, or nobody (`anonymous.invalid`).
 */
export const FROM_POLICIES = ['any', 'own'] as const;
export type FromPolicy = (typeof FROM_POLICIES)[number];

/** The rules for registrations and subscriptions of one address-of-record. */
export interface Policy {
  /** Seconds; shorter requests below one hour are refused with 423 (RFC 3261 §10.3 step 7). */
  readonly minExpires: number;
  /** Seconds granted to a device that asks for nothing. */
  readonly defaultExpires: number;
  /** Seconds granted at most. */
  readonly maxExpires: number;
  /** Percent by which a granted interval is shortened at most, so that devices that registered together do not come back together. */
  readonly expiresJitter: number;
  /** Most bindings of one AoR. */
  readonly maxContacts: number;
  readonly onLimit: OnLimit;
  /** The only transports over which devices may register; absent: all. */
  readonly transports?: readonly SipTransport[];
  /** False: grants do not count, nobody registers for others (RFC 3261 §10.2). */
  readonly thirdParty: boolean;
  /** The only digest algorithms that are offered and taken, strongest first; absent: those of the edge. */
  readonly algorithms?: readonly DigestAlgorithm[];
  readonly path: PathMode;
  readonly outbound: OutboundMode;
  /** Seconds between the keep-alives that stream flows of RFC 5626 §4.4.1 owe; UDP flows owe more, for the sake of their NATs. */
  readonly flowTimer: number;
  /** Give GRUUs to devices that ask for them (RFC 5627). */
  readonly gruu: boolean;
  /** Service-Route values, topmost first, each a name-addr with `lr` (RFC 3608 §6.3). */
  readonly serviceRoute?: readonly string[];
  /** Push notification services (RFC 8599 `pn-provider`) that are served; others get 555. Absent: `pn-*` has no meaning. */
  readonly push?: readonly string[];
  readonly watchers?: WatcherPolicy;
  /** Absent: any. */
  readonly from?: FromPolicy;
}

/** What a domain or a user sets of it. */
export type PolicySettings = Partial<Policy>;

/** RFC 3261 §10.2.1.1: a malformed interval counts as one hour. It is also the border below which 423 may be sent (§10.3 step 7). */
export const ONE_HOUR = 3600;
/**
 * RFC 5626 §4.4.1: a stream's keep-alives come 95 to 120 s apart where nothing else is told. The lower of the two: with the edge's
 * grace a flow that is gone without a word is found to be so within 120 s.
 */
const STREAM_FLOW_TIMER = 95;

/** What holds where neither deployment, domain nor user says otherwise. */
export const DEFAULT_POLICY: Policy = {
  minExpires: 60,
  defaultExpires: ONE_HOUR,
  maxExpires: 2 * ONE_HOUR,
  expiresJitter: 0,
  maxContacts: 10,
  onLimit: 'reject',
  thirdParty: true,
  path: 'lazy',
  outbound: 'supported',
  flowTimer: STREAM_FLOW_TIMER,
  gruu: true,
};

/**
 * Names of the settings: what a domain or a user holds besides is none of the policy's. A record, so that a setting that is
 * forgotten here does not compile.
 */
const SETTINGS: Readonly<Record<keyof Policy, true>> = {
  minExpires: true,
  defaultExpires: true,
  maxExpires: true,
  expiresJitter: true,
  maxContacts: true,
  onLimit: true,
  transports: true,
  thirdParty: true,
  algorithms: true,
  path: true,
  outbound: true,
  flowTimer: true,
  gruu: true,
  serviceRoute: true,
  push: true,
  watchers: true,
  from: true,
};
export const POLICY_SETTINGS = Object.keys(SETTINGS) as readonly (keyof Policy)[];

/**
 * What holds for an AoR: the user's settings over the domain's over those of the deployment. Set apart from each other, the three
 * intervals may contradict: the maximum then gives way to the minimum, and the default to both.
 */
export function effectivePolicy(defaults: Policy, domain?: PolicySettings, user?: PolicySettings): Policy {
  const { minExpires, maxExpires, defaultExpires, ...rest } = {
    ...defaults,
    ...policySettings(domain),
    ...policySettings(user),
  };
  const longest = Math.max(minExpires, maxExpires);
  return {
    ...rest,
    minExpires,
    maxExpires: longest,
    defaultExpires: Math.min(longest, Math.max(minExpires, defaultExpires)),
  };
}

/** The settings alone of what may hold more; settings that are undefined are not set. */
export function policySettings(from: PolicySettings | undefined): PolicySettings {
  if (from === undefined) return {};
  const set = POLICY_SETTINGS.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]);
  return Object.fromEntries(set) as PolicySettings;
}
