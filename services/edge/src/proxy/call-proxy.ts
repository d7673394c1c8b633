import type { Timers } from '@rollcall/kernel';
import { canonicalAor } from '@rollcall/location';
import type { Aor, Binding, LocationReader, ResolvedGruu, StoreClock, User } from '@rollcall/location';
import type { SipRequest, SipUri } from '@rollcall/sip';
import type { Flow, ServerTransaction } from '@rollcall/sip-transaction';
import type { Authenticator, OnIdentity } from '../authenticate.ts';
import type { BusyFlows } from '../busy-flows.ts';
import type { DomainTable } from '../domain-table.ts';
import type { FlowNames } from '../flow-names.ts';
import { fromRealm, realmOf } from '../forward-event.ts';
import { newBranch, viaWithSource } from '../hop.ts';
import type { EdgeLog } from '../ports.ts';
import type { Replies } from '../reply.ts';
import type { Router, Routing } from '../routing.ts';
import type { TrustedPeers } from '../trusted-peers.ts';
import { readPreferences } from './caller-preferences.ts';
import type { Egress, Origin } from './egress.ts';
import { isOutOfDialog } from './egress.ts';
import { isSips } from '../flow-names.ts';
import { hasLooped, loopMark } from './loop.ts';
import type { PushWaker } from './push-waker.ts';
import { ResponseContext } from './response-context.ts';
import type { Target } from './response-context.ts';
import { devicesOf, groupDevices } from './targets.ts';
import type { Device, Targets } from './targets.ts';
import { OuterUpstream } from './upstream.ts';
import type { Upstream } from './upstream.ts';

export interface CallProxyDeps {
  readonly domains: DomainTable;
  readonly authenticator: Authenticator;
  readonly trusted: TrustedPeers;
  readonly router: Router;
  readonly names: FlowNames;
  readonly egress: Egress;
  readonly targets: Targets;
  readonly replies: Replies;
  readonly location: LocationReader;
  readonly storeClock: StoreClock;
  /** The user of an AoR or of an alias. Throws when the store is away. */
  readonly findUser: (aor: Aor) => Promise<User | undefined>;
  /** Reads GRUUs (RFC 5627 §6.1). */
  readonly gruus: { resolve(uri: SipUri, options: AorNames): ResolvedGruu | undefined };
  readonly busy: BusyFlows;
  /** Wakes devices that may sleep behind a flow that cannot tell (RFC 8599). */
  readonly waker: PushWaker | undefined;
  /** What is put between a request and its answers: states of dialogs, messages to be kept. */
  readonly observers: readonly UpstreamObserver[];
  readonly timers: Timers;
  readonly log: EdgeLog;
}

export interface AorNames {
  readonly domainAliases: ReadonlyMap<string, string>;
}

/** Sees the answers of a request on their way upstream, and may change them. */
export interface UpstreamObserver {
  /** A request to an AoR of ours that is about to be forked. */
  toAor(upstream: Upstream, aor: Aor): Upstream;
  /** A request inside a dialog. */
  inDialog(upstream: Upstream): Upstream;
}

/** Where a request to a URI of ours goes. */
interface Destination {
  readonly aor: Aor;
  readonly gruu?: ResolvedGruu;
}

/** Who sends; empty for a request inside a dialog, whose route says that it was let in. */
const NO_IDENTITY = '';

/**
 * Calls, messages and all other requests of phones to phones (RFC 3261 §16): proved first, then to the bindings of the AoR,
 * or along the route of a dialog that we are in.
 */
export class CallProxy {
  readonly #proved: OnIdentity;

  constructor(private readonly deps: CallProxyDeps) {
    this.#proved = (transaction, { identity }) => {
      this.#route(transaction, identity);
    };
  }

  handle(transaction: ServerTransaction): void {
    const { deps } = this;
    const { request, flow } = transaction;
    if (hasLooped(request, loopMark(request))) {
      deps.replies.refuse(transaction, 'loop');
      return;
    }
    const routing = deps.router.route(request, flow);
    if (routing.kind === 'malformed') {
      deps.replies.refuse(transaction, 'badRoute');
      return;
    }
    if (routing.kind === 'elsewhere') {
      deps.replies.refuse(transaction, this.#isOurs(request) ? 'foreignRoute' : 'foreignTarget');
      return;
    }
    // Inside a dialog a token of ours in the route says that its first request was proved and accepted.
    if (routing.kind === 'flow' && !isOutOfDialog(request)) {
      this.#inDialog(transaction, routing);
      return;
    }
    if (deps.trusted.trusts(flow)) {
      this.#route(transaction, assertedBy(request));
      return;
    }
    const realm = realmOf(transaction, deps.domains);
    if (realm === undefined)
      deps.replies.refuse(transaction, deps.domains.ready ? 'foreignTarget' : 'storeAway');
    else deps.authenticator.authenticate(transaction, realm, 'proxy', this.#proved);
  }

  /** An ACK to a 2xx has no transaction: it follows the route of its dialog (RFC 3261 §13.2.2.4, §16.6), or goes nowhere. */
  acknowledge(request: SipRequest, flow: Flow): void {
    const routing = this.deps.router.route(request, flow);
    if (routing.kind !== 'flow') return;
    const { egress } = this.deps;
    const origin: Origin = { flow, topVia: viaWithSource(request, flow), identity: NO_IDENTITY };
    egress.resolve(routing.ref, (hop) => {
      if (hop !== undefined) hop.flow.send(egress.compose(request, hop, routing, origin, newBranch()));
    });
  }

  #route(transaction: ServerTransaction, identity: string): void {
    const routing = this.deps.router.route(transaction.request, transaction.flow);
    if (routing.kind === 'flow') this.#toFlow(transaction, routing, identity);
    else this.#toUri(transaction, identity);
  }

  /**
   * A remote target that is a GRUU stands for whatever binding its device has now (RFC 5627 §6.1): the device may have come back
   * on another flow. The flow of the route is what there is otherwise.
   */
  #inDialog(transaction: ServerTransaction, routing: Routing & { kind: 'flow' }): void {
    const gruu = this.#gruuOf(transaction.request);
    if (gruu === undefined) {
      this.#toFlow(transaction, routing, NO_IDENTITY);
      return;
    }
    this.#bindingsOf(gruu).then(
      ([device]) => {
        const target = device === undefined ? undefined : this.deps.targets.of(gruu.aor, device);
        if (target === undefined) this.#toFlow(transaction, routing, NO_IDENTITY);
        else this.#start(this.#observed(transaction, NO_IDENTITY), [[target]]);
      },
      () => {
        this.#toFlow(transaction, routing, NO_IDENTITY);
      },
    );
  }

  #observed(transaction: ServerTransaction, identity: string): Upstream {
    const upstream = new OuterUpstream(transaction, this.deps.replies, identity);
    return this.deps.observers.reduce<Upstream>((inner, observer) => observer.inDialog(inner), upstream);
  }

  #toFlow(transaction: ServerTransaction, routing: Routing & { kind: 'flow' }, identity: string): void {
    const { egress, replies } = this.deps;
    egress.resolve(routing.ref, (hop) => {
      if (hop === undefined) {
        replies.refuseStateful(transaction, 'flowFailed');
        return;
      }
      const target: Target = {
        onward: routing,
        resolve: (done) => {
          done(hop, false);
        },
      };
      this.#start(this.#observed(transaction, identity), [[target]]);
    });
  }

  #isOurs(request: SipRequest): boolean {
    const uri = request.uri();
    return uri.ok && uri.value.kind === 'sip' && this.deps.domains.get(uri.value.host) !== undefined;
  }

  #gruuOf(request: SipRequest): (Destination & { readonly gruu: ResolvedGruu }) | undefined {
    const uri = request.uri();
    if (!uri.ok || uri.value.kind !== 'sip' || !uri.value.params.has('gr')) return undefined;
    const { domains, gruus } = this.deps;
    if (domains.get(uri.value.host) === undefined) return undefined;
    const gruu = gruus.resolve(uri.value, { domainAliases: domains.aliases });
    return gruu === undefined ? undefined : { aor: gruu.aor, gruu };
  }

  #toUri(transaction: ServerTransaction, identity: string): void {
    const { replies } = this.deps;
    const destination = this.#destination(transaction);
    if (typeof destination === 'string') {
      replies.refuse(transaction, destination);
      return;
    }
    this.#fork(transaction, destination, identity).catch((error: unknown) => {
      this.deps.log.warn({ error: String(error) }, 'a request could not be proxied');
      replies.refuseStateful(transaction, 'storeAway');
    });
  }

  /** RFC 3261 §16.5: what the Request-URI names, or how it is refused. */
  #destination(
    transaction: ServerTransaction,
  ): Destination | 'badUri' | 'foreignTarget' | 'notFound' | 'storeAway' {
    const { domains } = this.deps;
    const { request } = transaction;
    const uri = request.uri();
    if (!uri.ok || uri.value.kind === 'other') return 'badUri';
    const domain = uri.value.kind === 'sip' ? domains.get(uri.value.host) : undefined;
    const realm = fromRealm(transaction, domains);
    if (domain === undefined && (uri.value.kind === 'sip' || realm === undefined))
      return domains.ready ? 'foreignTarget' : 'storeAway';
    // RFC 5627 §6.1: a URI with `gr` that is no GRUU of ours names nothing.
    if (uri.value.kind === 'sip' && uri.value.params.has('gr')) return this.#gruuOf(request) ?? 'notFound';
    const telDomain = uri.value.kind === 'tel' ? realm : undefined;
    const aor = canonicalAor(uri.value, {
      domainAliases: domains.aliases,
      ...(telDomain === undefined ? undefined : { telDomain }),
    });
    return aor.ok ? { aor: aor.value } : 'notFound';
  }

  /** The devices that a destination stands for now. Throws when the store is away. */
  async #bindingsOf({ aor, gruu }: Destination): Promise<Device[]> {
    const { bindings } = await this.deps.location.read(aor);
    const now = this.deps.storeClock.now();
    if (gruu === undefined) return devicesOf(bindings, now);
    const selected = gruu.select(bindings.filter((binding) => binding.expiresAt > now));
    // One device, whose flows are tried one after the other (RFC 5627 §6.1).
    return isDevice(selected) ? [selected] : [];
  }

  /** RFC 3261 §16.5: 404 for what does not exist, 480 for whom nobody has registered. */
  async #fork(transaction: ServerTransaction, destination: Destination, identity: string): Promise<void> {
    const caller = { gone: false };
    transaction.onCancel = () => {
      caller.gone = true;
    };
    const { aor, devices, known } = await this.#find(destination);
    const { targets, replies, observers, waker } = this.deps;
    const outer = new OuterUpstream(transaction, replies, identity);
    const upstream = observers.reduce<Upstream>((inner, observer) => observer.toAor(inner, aor), outer);
    if (caller.gone) {
      upstream.fail(487, 'Request Terminated');
      return;
    }
    const fitting = isSips(transaction.request.requestUri) ? secureOnly(devices) : devices;
    const groups = groupDevices(fitting, readPreferences(transaction.request));
    if (groups.length === 0) {
      if (fitting.length < devices.length) outer.refuse('sipsNotAllowed', SIPS_NOT_ALLOWED);
      else if (known) upstream.refuse('nobodyRegistered');
      else outer.refuse('notFound');
      return;
    }
    const context = this.#context(
      upstream,
      groups.map((group) => group.map((device) => targets.of(aor, device))),
    );
    if (waker !== undefined)
      for (const device of groups.flat()) wakeBeside(waker, aor, device, context, targets);
    context.start();
  }

  /** An alias means another AoR, under which the bindings stand. */
  async #find(destination: Destination): Promise<{ aor: Aor; devices: Device[]; known: boolean }> {
    const { findUser } = this.deps;
    const { aor } = destination;
    const devices = await this.#bindingsOf(destination);
    if (devices.length > 0) return { aor, devices, known: true };
    const user = await findUser(aor);
    if (user === undefined || destination.gruu?.kind === 'temporary') return { aor, devices, known: false };
    if (user.aor === aor || destination.gruu !== undefined) return { aor, devices, known: true };
    return { aor: user.aor, devices: await this.#bindingsOf({ aor: user.aor }), known: true };
  }

  #start(upstream: Upstream, groups: Target[][]): void {
    this.#context(upstream, groups).start();
  }

  #context(upstream: Upstream, groups: Target[][]): ResponseContext {
    const { egress, timers, busy } = this.deps;
    return new ResponseContext(
      { egress, timers, busy, loopMark: loopMark(upstream.request) },
      upstream,
      groups,
    );
  }
}

/** RFC 3325 §5: what a peer that we trust asserts, as header lines. */
function assertedBy(request: SipRequest): string {
  return request
    .headers('p-asserted-identity')
    .map((value) => `P-Asserted-Identity: ${value}\r\n`)
    .join('');
}

/** RFC 5630 §5.3: a SIPS request goes to SIPS Contacts alone. */
const SIPS_NOT_ALLOWED = 'Warning: 380 rollcall "SIPS Not Allowed"\r\n';

function secureOnly(devices: readonly Device[]): Device[] {
  return devices
    .map((device): readonly Binding[] => device.filter(({ contact }) => isSips(contact)))
    .filter(isDevice);
}

const isDevice = (bindings: readonly Binding[]): bindings is Device => bindings.length > 0;

/** A device that may sleep though its flow looks good is woken while it is called; where it then registers, it is called too. */
function wakeBeside(
  waker: PushWaker,
  aor: Aor,
  device: Device,
  context: ResponseContext,
  targets: Targets,
): void {
  if (!waker.maySleep(device)) return;
  const release = context.hold();
  waker.wake(aor, device, (fresh) => {
    if (fresh !== undefined && !device.some((binding) => binding.path[0] === fresh.path[0]))
      context.add(targets.fresh(aor, fresh));
    release();
  });
}
