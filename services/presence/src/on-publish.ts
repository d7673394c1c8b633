import { BoundedMap } from '@rollcall/kernel';
import type { Clock } from '@rollcall/kernel';
import { decidePublish, readPublish, refusal, renderPublished, renderRefusal } from '@rollcall/events';
import type {
  EntityTags,
  PackageRegistry,
  PublicationSet,
  PublishDecision,
  PublishIntent,
  PublishPolicy,
  Refusal,
} from '@rollcall/events';
import type { Aor } from '@rollcall/location';
import type { SipRequest } from '@rollcall/sip';
import type { Admission } from './admission.ts';
import type { PresenceCounters } from './counters.ts';
import type { Lanes } from './lanes.ts';
import type { Reply } from './on-subscribe.ts';
import type { EventStore } from './ports.ts';
import { timed } from './probe.ts';
import type { Probe } from './probe.ts';

export interface PublishDeps {
  readonly store: Pick<EventStore, 'readPublications' | 'commitPublications'>;
  readonly lanes: Lanes;
  readonly admission: Admission;
  readonly packages: PackageRegistry;
  readonly clock: Clock;
  readonly policy: PublishPolicy;
  readonly tags: EntityTags;
  readonly counters: PresenceCounters;
  readonly newToken: () => string;
  readonly retryAfter: () => number;
  readonly currentTrace: () => string | undefined;
}

const MAX_TRIES = 5;
/** Resources whose publications are remembered: a hint for the first compare-and-set, never the truth. */
const KEPT = 10_000;
/** Octets of the publications of one resource, past which they are not: a state of presence has a few hundred. */
const KEPT_OCTETS = 4_096;

const NONE: PublicationSet = { version: 0, publications: [] };

/** PUBLISH (RFC 3903 §6): read, decide, commit if unchanged, answer; the store tells the watchers. */
export class OnPublish {
  readonly #seen = new BoundedMap<Aor, PublicationSet>(KEPT);

  constructor(private readonly deps: PublishDeps) {}

  /** Resources whose publications are remembered. */
  get kept(): { readonly size: number; readonly limit: number } {
    return { size: this.#seen.size, limit: this.#seen.limit };
  }

  /** Answers the request. Rejects with `StoreUnavailable`; the caller then answers 503. */
  async handle(request: SipRequest, reply: Reply, probe?: Probe): Promise<void> {
    const { admission, packages, lanes, tags } = this.deps;
    const aliases = admission.aliases();
    const domainAliases = aliases instanceof Promise ? await aliases : aliases;
    const read = readPublish(request, { packages, domainAliases, tags });
    if (!read.ok) {
      this.#refuse(request, reply, read.error);
      return;
    }
    const asked = admission.find(read.value.resource);
    const found = asked instanceof Promise ? await asked : asked;
    if (found === undefined) {
      this.#refuse(request, reply, refusal('no-such-resource'));
      return;
    }
    // An alias is the user, whose state stands under their own name.
    const resource = found.aor;
    const { publisher } = read.value;
    // RFC 3903 §14.1
    const refused = publisher === resource ? undefined : await admission.ownerOrGranted(publisher, resource);
    if (refused !== undefined) {
      this.#refuse(request, reply, refused);
      return;
    }
    // RFC 3903 §6: requests for one resource are processed in the order that they come in.
    const decision = await lanes.run(resource, () => this.#carryOut(read.value, resource, probe));
    if (decision.kind === 'refuse') this.#refuse(request, reply, decision.refusal);
    else reply(renderPublished(request, decision.etag, decision.expires, this.deps.newToken()));
  }

  async #carryOut(intent: PublishIntent, resource: Aor, probe: Probe | undefined): Promise<PublishDecision> {
    const { store, clock, policy, currentTrace } = this.deps;
    let known = this.#seen.peek(resource);
    let certain = false;
    if (known === undefined && intent.ifMatch !== undefined) {
      known = await store.readPublications(resource);
      certain = true;
    }
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const current = known ?? NONE;
      const decision = decidePublish(intent, current, policy, clock.now());
      if (decision.kind !== 'store') {
        if (certain) return decision;
        known = await store.readPublications(resource);
        certain = true;
        continue;
      }
      const { publications, changed, packages } = decision;
      const expectedVersion = current.version;
      const trace = currentTrace();
      const commit = { resource, expectedVersion, publications, changed, packages, trace };
      const outcome = await timed(probe, () => store.commitPublications(commit));
      if (outcome.kind === 'committed') {
        this.#remember(resource, { version: outcome.version, publications });
        return decision;
      }
      known = outcome.current;
      certain = true;
    }
    return { kind: 'refuse', refusal: refusal('contended') };
  }

  /** That there is nothing is what is assumed anyway. */
  #remember(resource: Aor, set: PublicationSet): void {
    const octets = set.publications.reduce((sum, { body }) => sum + body.length, 0);
    if (set.publications.length > 0 && octets <= KEPT_OCTETS) this.#seen.set(resource, set);
    else this.#seen.delete(resource);
  }

  #refuse(request: SipRequest, reply: Reply, reason: Refusal): void {
    this.deps.counters.refused(reason.label);
    reply(renderRefusal(request, reason, this.deps.newToken(), this.deps.retryAfter()), reason.label);
  }
}
