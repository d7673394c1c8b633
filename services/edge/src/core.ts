import { NonceAuthority, Verifier } from '@rollcall/digest';
import type { Algorithm } from '@rollcall/digest';
import type { Clock, Timers } from '@rollcall/kernel';
import { FlowTokens } from '@rollcall/location';
import type { EdgeLeases, LocationReader, StoreClock, UserDirectory } from '@rollcall/location';
import type { SipFront } from '@rollcall/sip-transaction';
import { Authenticator } from './authenticate.ts';
import type { DigestPolicy } from './authenticate.ts';
import { zeroCounters } from './counters.ts';
import type { EdgeCounters } from './counters.ts';
import { DomainTable } from './domain-table.ts';
import { EdgeFinder } from './edge-finder.ts';
import { FlowNames } from './flow-names.ts';
import type { EdgeIdentity } from './flow-names.ts';
import { EventForwarder } from './forward-event.ts';
import { RegisterForwarder } from './forward-register.ts';
import { InnerForwarder } from './forward.ts';
import type { CurrentTrace } from './forward.ts';
import { OnInnerRequest } from './on-inner-request.ts';
import { OnRequest } from './on-request.ts';
import { OwnAddresses } from './own-addresses.ts';
import type { EdgeLog, InnerLink } from './ports.ts';
import { CallProxy } from './proxy/call-proxy.ts';
import { Egress } from './proxy/egress.ts';
import { Replies } from './reply.ts';
import { Router } from './routing.ts';
import { USER_CACHE_DEFAULTS, UserCache } from './user-cache.ts';

/** Everything that the core needs of the world. */
export interface CorePorts {
  readonly front: SipFront;
  readonly registrar: InnerLink;
  readonly presence: InnerLink;
  readonly users: Pick<UserDirectory, 'find' | 'findByCredentials' | 'onChange'> & {
    readonly domains: Pick<UserDirectory['domains'], 'list' | 'onChange'>;
  };
  readonly location: LocationReader;
  readonly storeClock: StoreClock;
  readonly leases: Pick<EdgeLeases, 'find'>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  readonly trace: CurrentTrace;
  readonly log: EdgeLog;
}

export interface CoreOptions {
  readonly edge: EdgeIdentity;
  /** Where inner services reach this edge, `host:port`. */
  readonly inner: string;
  readonly secret: string;
  readonly algorithms: readonly Algorithm[];
  readonly nonceLifetimeMs: number;
  readonly nonceLimit: number;
  readonly userCacheLimit: number;
  readonly digest: DigestPolicy;
}

/** The edge without its transports: what a front and an inner server call, and what there is to observe. */
export interface EdgeCore {
  readonly onRequest: OnRequest;
  readonly onInnerRequest: OnInnerRequest;
  readonly counters: EdgeCounters;
  readonly domains: DomainTable;
  readonly users: UserCache;
  readonly nonces: NonceAuthority;
  /** To be told of every address that is listened on, before requests come. */
  readonly own: OwnAddresses;
  stop(): void;
}

/** At least what a client is asked to wait before it comes back, seconds (RFC 3261 §21.5.4). */
const RETRY_AFTER_S = 5;

/** Wires the core. */
export function createCore(ports: CorePorts, options: CoreOptions): EdgeCore {
  const { front, clock, log, timers, trace } = ports;
  const counters = zeroCounters();
  const own = new OwnAddresses();
  const domains = new DomainTable(ports.users.domains, log);
  const users = new UserCache(ports.users, clock, { ...USER_CACHE_DEFAULTS, limit: options.userCacheLimit });
  const nonces = new NonceAuthority({
    edge: `${options.edge.id}/${String(options.edge.epoch)}`,
    secret: options.secret,
    lifetimeMs: options.nonceLifetimeMs,
    rotationMs: options.nonceLifetimeMs,
    highWaterLimit: options.nonceLimit,
  });
  const names = new FlowNames(new FlowTokens(options.secret), options.edge);
  const router = new Router(names, domains, own);
  const replies = new Replies(counters, {
    retryAfterS: RETRY_AFTER_S,
    algorithms: options.algorithms,
    random: ports.random,
  });
  const authenticator = new Authenticator(
    nonces,
    new Verifier(),
    users,
    domains,
    replies,
    counters,
    clock,
    options.digest,
  );
  const registrar = new InnerForwarder('registrar', ports.registrar, replies, counters, trace, options.inner);
  const presence = new InnerForwarder('presence', ports.presence, replies, counters, trace, options.inner);
  const egress = new Egress(front, names, new EdgeFinder(ports.leases, clock), trace);
  const { location, storeClock } = ports;
  const findUser = ports.users.find.bind(ports.users);
  const calls = new CallProxy({
    domains,
    authenticator,
    router,
    names,
    egress,
    replies,
    location,
    storeClock,
    findUser,
    timers,
    log,
  });
  const registers = new RegisterForwarder(domains, authenticator, router, names, registrar, replies);
  const events = new EventForwarder(domains, own, authenticator, names, presence, replies);
  return {
    onRequest: new OnRequest(registers, events, calls, domains, own, replies, counters),
    onInnerRequest: new OnInnerRequest(router, names, egress, timers, counters),
    counters,
    domains,
    users,
    nonces,
    own,
    stop: () => {
      domains.stop();
      users.stop();
    },
  };
}
