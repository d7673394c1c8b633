import { NonceAuthority, Verifier } from '@rollcall/digest';
import type { Algorithm } from '@rollcall/digest';
import type { Clock, Timers } from '@rollcall/kernel';
import { FlowTokens, Gruus } from '@rollcall/location';
import type { EdgeLeases, LocationReader, MessageStore, StoreClock, UserDirectory } from '@rollcall/location';
import type { Flow, SipFront } from '@rollcall/sip-transaction';
import { Admission } from './admission.ts';
import type { LoadSources } from './admission.ts';
import { Authenticator } from './authenticate.ts';
import type { DigestPolicy } from './authenticate.ts';
import { BusyFlows } from './busy-flows.ts';
import { capabilities } from './capabilities.ts';
import { zeroCounters } from './counters.ts';
import type { EdgeCounters, InnerTarget } from './counters.ts';
import { DomainTable } from './domain-table.ts';
import { EdgeFinder } from './edge-finder.ts';
import { FlowNames } from './flow-names.ts';
import type { EdgeIdentity } from './flow-names.ts';
import { FlowReports } from './flow-reports.ts';
import { EventForwarder } from './forward-event.ts';
import { RegisterForwarder } from './forward-register.ts';
import { InnerForwarder } from './forward.ts';
import type { CurrentTrace } from './forward.ts';
import { GuessGuard } from './guess-guard.ts';
import type { GuardOptions } from './guess-guard.ts';
import { OfflineMessages } from './offline-messages.ts';
import type { OfflineOptions } from './offline-messages.ts';
import { OnInnerRequest } from './on-inner-request.ts';
import { OnRequest } from './on-request.ts';
import { OwnAddresses } from './own-addresses.ts';
import type { EdgeLog, InnerLink } from './ports.ts';
import { CallProxy } from './proxy/call-proxy.ts';
import type { UpstreamObserver } from './proxy/call-proxy.ts';
import { DialogStates } from './proxy/dialog-states.ts';
import { Egress } from './proxy/egress.ts';
import { NO_DNS, OutsideTargets } from './proxy/outside.ts';
import type { LocateNextHops } from './proxy/outside.ts';
import { PushWaker } from './proxy/push-waker.ts';
import type { PushOptions, PushSender } from './proxy/push-waker.ts';
import { Targets } from './proxy/targets.ts';
import { Qualifier } from './qualifier.ts';
import type { QualifyOptions } from './qualifier.ts';
import type { RegisterListener } from './register-listeners.ts';
import { REFUSALS } from './refusals.ts';
import { Replies } from './reply.ts';
import { Router } from './routing.ts';
import { SenderCheck } from './sender-check.ts';
import type { SenderSource } from './sender-check.ts';
import { SubscribeOrder } from './subscribe-order.ts';
import { Networks, TrustedPeers } from './trusted-peers.ts';
import type { Network } from './trusted-peers.ts';
import { USER_CACHE_DEFAULTS, UserCache } from './user-cache.ts';

/** Everything that the core needs of the world. */
export interface CorePorts {
  /** One that reads datagrams itself says how long they wait. */
  readonly front: SipFront & { datagramsWait?(): number };
  readonly registrar: InnerLink;
  readonly presence: InnerLink;
  readonly users: Pick<UserDirectory, 'findByCredentials' | 'onChange'> &
    SenderSource & {
      readonly domains: Pick<UserDirectory['domains'], 'list' | 'onChange'>;
    };
  readonly location: LocationReader;
  readonly storeClock: StoreClock;
  readonly leases: Pick<EdgeLeases, 'find'>;
  readonly messages: MessageStore;
  /** Where push notifications are asked for; undefined when nobody can be woken. */
  readonly push: PushSender | undefined;
  readonly load: LoadSources;
  /** Looks next hops outside up; undefined for an edge without DNS. */
  readonly locate?: LocateNextHops;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  readonly trace: CurrentTrace;
  /** True for a message whose exchange somebody looks at. */
  readonly isTraced?: (octets: string) => boolean;
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
  /** Peers that call without credentials, by address and by the name in their certificate. */
  readonly trusted: { readonly networks: readonly Network[]; readonly names: readonly string[] };
  readonly guard: GuardOptions & { readonly exempt: readonly Network[] };
  readonly push: PushOptions;
  /** Undefined: nothing of this kind is done. */
  readonly offline: OfflineOptions | undefined;
  readonly qualify: QualifyOptions | undefined;
  readonly dialogs: { readonly calls: number } | undefined;
  /** Devices may subscribe to their profiles. */
  readonly profiles: boolean;
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
  readonly guard: GuessGuard;
  readonly senders: SenderCheck;
  readonly admission: Admission;
  readonly busy: BusyFlows;
  /** True for a connection to another edge of ours. */
  readonly isInner: (flow: Flow) => boolean;
  readonly reports: FlowReports;
  readonly waker: PushWaker | undefined;
  readonly offline: OfflineMessages | undefined;
  readonly qualifier: Qualifier | undefined;
  readonly dialogs: DialogStates | undefined;
  /** The rule by which the edge refuses just now, while it sends the answer. */
  refusing(): { readonly label: string; readonly section: string } | undefined;
  /** The first step of a drain: who registers now gets so many seconds at most. */
  shortenRegistrations(longest: number): void;
  stop(): void;
}

/** At least what a client is asked to wait before it comes back, seconds (RFC 3261 §21.5.4). */
const RETRY_AFTER_S = 5;

/** Wires the core. */
export function createCore(ports: CorePorts, options: CoreOptions): EdgeCore {
  const { front, clock, log, timers, trace, location, storeClock, random } = ports;
  const counters = zeroCounters();
  const own = new OwnAddresses();
  const domains = new DomainTable(ports.users.domains, timers, log);
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
    random,
  });
  const guard = new GuessGuard(options.guard, new Networks(options.guard.exempt), clock, log);
  const senders = new SenderCheck(ports.users, domains);
  const authenticator = new Authenticator(
    nonces,
    new Verifier(),
    users,
    domains,
    replies,
    counters,
    clock,
    options.digest,
    guard,
    senders,
  );
  const forwarder = (target: InnerTarget, link: InnerLink): InnerForwarder =>
    new InnerForwarder(target, link, replies, counters, trace, options.inner, ports.isTraced);
  const registrar = forwarder('registrar', ports.registrar);
  const presence = forwarder('presence', ports.presence);
  const egress = new Egress(front, names, new EdgeFinder(ports.leases, clock), trace);
  const outside = new OutsideTargets(egress, ports.locate ?? NO_DNS);
  const reports = new FlowReports(ports.registrar, clock, options.inner);
  const waker =
    ports.push === undefined
      ? undefined
      : new PushWaker(ports.push, location, storeClock, timers, options.push);
  const targets = new Targets(names, egress, outside, {
    gone: (aor, binding) => {
      reports.report(aor, binding, GONE);
    },
    canWake: (binding) => waker?.canWake(binding) === true,
    wake: (aor, device, done) => {
      if (waker === undefined) done(undefined);
      else waker.wake(aor, device, done);
    },
  });
  const busy = new BusyFlows();
  const trusted = new TrustedPeers(options.trusted.networks, options.trusted.names);
  const offline =
    options.offline === undefined
      ? undefined
      : new OfflineMessages(
          { store: ports.messages, location, clock: storeClock, egress, targets, busy, timers, log },
          options.offline,
        );
  const dialogs =
    options.dialogs === undefined
      ? undefined
      : new DialogStates(ports.presence, timers, () => clock.now(), {
          ...options.dialogs,
          inner: options.inner,
          isOurs: (host) => domains.get(host) !== undefined,
        });
  const qualifier =
    options.qualify === undefined
      ? undefined
      : new Qualifier(
          {
            front,
            location,
            storeClock,
            reports,
            timers,
            random,
            now: () => clock.now(),
            host: options.edge.id,
          },
          options.qualify,
        );
  const observers: UpstreamObserver[] = [offline, dialogs].filter((one) => one !== undefined);
  const calls = new CallProxy({
    domains,
    authenticator,
    trusted,
    router,
    names,
    egress,
    targets,
    replies,
    location,
    storeClock,
    findUser: ports.users.find.bind(ports.users),
    gruus: new Gruus(options.secret),
    busy,
    waker,
    observers,
    timers,
    log,
  });
  const listeners = registerListeners(offline, qualifier);
  const registers = new RegisterForwarder(
    domains,
    authenticator,
    router,
    names,
    trusted,
    registrar,
    replies,
    listeners,
  );
  const order = new SubscribeOrder(timers);
  const events = new EventForwarder(domains, own, authenticator, names, presence, replies, order);
  const admission = new Admission({ waitMs: () => front.datagramsWait?.() ?? 0, ...ports.load }, random);
  return {
    onRequest: new OnRequest(
      registers,
      events,
      calls,
      domains,
      own,
      replies,
      counters,
      admission,
      capabilities(options.profiles),
    ),
    onInnerRequest: new OnInnerRequest(
      router,
      names,
      egress,
      outside,
      timers,
      counters,
      observers,
      busy,
      order,
    ),
    counters,
    refusing: () => (replies.refusing === undefined ? undefined : REFUSALS[replies.refusing]),
    domains,
    users,
    nonces,
    own,
    guard,
    senders,
    admission,
    busy,
    isInner: (flow) => egress.isInner(flow),
    reports,
    waker,
    offline,
    qualifier,
    dialogs,
    shortenRegistrations: (longest) => {
      registers.longest = longest;
    },
    stop: () => {
      domains.stop();
      users.stop();
      waker?.stop();
      qualifier?.stop();
      dialogs?.stop();
    },
  };
}

const GONE = { state: 'gone' } as const;

function registerListeners(
  offline: OfflineMessages | undefined,
  qualifier: Qualifier | undefined,
): RegisterListener[] {
  const listeners: RegisterListener[] = [];
  if (offline !== undefined)
    listeners.push(({ aor, answer }) => {
      if (hasContact(answer)) offline.deliver(aor);
    });
  if (qualifier !== undefined)
    listeners.push((registered) => {
      if (hasContact(registered.answer)) qualifier.onRegistered(registered);
    });
  return listeners;
}

/** A 200 that lists a binding; one to a removal of all lists none. */
const hasContact = (answer: string): boolean => answer.includes('\r\nContact:');
