import { assertNever } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import { StoreUnavailable } from '@rollcall/location';
import type { CommitOutcome, Gruus, LocationSnapshot, Policy, StoreClock } from '@rollcall/location';
import {
  decideRegister,
  isAssertedOwner,
  readRegister,
  refusalRow,
  refuse,
  renderAccepted,
  renderRefusal,
  unreachableUnder,
} from '@rollcall/registration';
import type { Accepted, Decision, Refusal, RegisterIntent } from '@rollcall/registration';
import { checkRequest } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import type { Authorizer } from './authorizer.ts';
import { countChanges } from './counters.ts';
import type { OutcomeLabel, RegistrarCounters } from './counters.ts';
import type { DomainTable } from './domain-table.ts';
import { JobLines } from './job-lines.ts';
import type { RegistrarAudit, RegistrarEdges, RegistrarLocation, RegistrarLog } from './ports.ts';
import { RegisterJob } from './register-job.ts';
import type { Reply } from './register-job.ts';
import type { SnapshotMemory } from './snapshot-memory.ts';

export interface RegisterHandlerParts {
  readonly location: RegistrarLocation;
  readonly clock: StoreClock;
  readonly domains: DomainTable;
  readonly authorizer: Authorizer;
  readonly audit: RegistrarAudit;
  readonly edges: RegistrarEdges;
  readonly gruus: Gruus;
  readonly memory: SnapshotMemory;
  readonly counters: RegistrarCounters;
  readonly log: RegistrarLog;
  /** Seconds for a Retry-After, different for each who asks, so that they do not come back together (RFC 3261 §20.33). */
  retryAfter(): number;
}

/** REGISTERs that may wait at one time; more are refused with 503 (invariant 9). */
export const MAX_IN_FLIGHT = 10_000;
/**
 * Tries of one commit. Inside a replica an AoR's requests wait for each other, so only other replicas make a commit conflict,
 * and each conflict means that one of them has got on.
 */
const MAX_CONFLICTS = 16;

const NO_RECORD: LocationSnapshot = { version: 0, bindings: [] };
const STORE_AWAY = refuse('store-unavailable', 'the store is away');
const NOT_READY = refuse('store-unavailable', 'the domains have not been read yet');
const FULL = refuse('overloaded', 'too many requests wait');
const CONTENDED = refuse('contended', 'others kept changing the bindings');
const FAULT = refuse('fault', 'a fault of ours');

/**
 * Carries REGISTERs out: read, authorize, decide, commit by compare-and-set, answer. In the common case that is one round trip:
 * the decision rests on what is remembered of the AoR, or on nothing, and a conflict brings the true state. Only what the
 * store confirms may rest on that; an answer that writes nothing is decided on what the store says now.
 * A 200 is sent only after the store has accepted the write (invariant 1).
 */
export class RegisterHandler {
  readonly #parts: RegisterHandlerParts;
  readonly #lines = new JobLines();
  #inFlight = 0;

  constructor(parts: RegisterHandlerParts) {
    this.#parts = parts;
  }

  /** Requests that have not been answered yet. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** `reply` is called once, now or later. `trace` is carried to whoever acts on the changes. */
  handle(request: SipRequest, reply: Reply, trace: string | undefined): void {
    const { domains } = this.#parts;
    if (request.method !== 'REGISTER') {
      this.#refuse(request, reply, refuse('wrong-method', request.method, 'Allow: REGISTER\r\n'));
      return;
    }
    const problem = checkRequest(request, STREAM);
    if (problem !== undefined) {
      this.#refuse(request, reply, { label: 'malformed', detail: problem.detail, status: problem.status });
      return;
    }
    if (!domains.ready || this.#inFlight >= MAX_IN_FLIGHT) {
      this.#refuse(request, reply, domains.ready ? FULL : NOT_READY);
      return;
    }
    const intent = readRegister(request, domains);
    if (!intent.ok) {
      this.#refuse(request, reply, intent.error);
      return;
    }
    const job = new RegisterJob(request, reply, intent.value, this.#policy(request, intent.value), trace);
    this.#inFlight += 1;
    if (isAssertedOwner(request, intent.value.aor)) this.#enqueue(job);
    else void this.#authorize(job);
  }

  /** That of the domain, or what the edge says of the user who asks; of another user it counts for nothing. */
  #policy(request: SipRequest, intent: RegisterIntent): Policy {
    const { domains } = this.#parts;
    const settings = request.header(POLICY_HEADER);
    return settings === undefined
      ? domains.policy(intent.domain)
      : domains.policyFrom(intent.domain, settings);
  }

  async #authorize(job: RegisterJob): Promise<void> {
    try {
      const verdict = await this.#parts.authorizer.authorize(job.request, job.intent);
      if (verdict.ok) {
        const { aor, thirdParty, policy } = verdict.value;
        job.thirdParty = thirdParty;
        if (policy !== undefined) job.policy = policy;
        if (aor !== job.intent.aor) job.intent = { ...job.intent, aor };
        this.#enqueue(job);
      } else {
        this.#inFlight -= 1;
        this.#refuse(job.request, job.reply, verdict.error);
      }
    } catch (error) {
      this.#inFlight -= 1;
      this.#refuse(job.request, job.reply, this.#failure(error));
    }
  }

  #enqueue(job: RegisterJob): void {
    if (this.#lines.join(job)) this.#begin(job);
  }

  #begin(job: RegisterJob): void {
    const { memory, counters } = this.#parts;
    if (job.intent.action.kind === 'query') {
      this.#readAndTry(job);
      return;
    }
    const remembered = memory.recall(job.intent.aor);
    if (remembered === undefined) counters.assumed += 1;
    else counters.remembered += 1;
    this.#try(job, remembered ?? NO_RECORD, false);
  }

  #readAndTry(job: RegisterJob): void {
    this.#parts.location.read(job.intent.aor, CONFIRMED).then(
      (snapshot) => {
        this.#try(job, snapshot, true);
      },
      (error: unknown) => {
        this.#end(job, this.#failure(error));
      },
    );
  }

  /** Which bindings lead nowhere is asked for only when that decides (B19). */
  #askEdges(job: RegisterJob): void {
    this.#parts.edges.list().then(
      (leases) => {
        job.isUnreachable = unreachableUnder(leases);
        this.#readAndTry(job);
      },
      (error: unknown) => {
        this.#end(job, this.#failure(error));
      },
    );
  }

  /** `certain`: the snapshot is what the store said, not what was remembered. */
  #try(job: RegisterJob, snapshot: LocationSnapshot, certain: boolean): void {
    const now = this.#parts.clock.now();
    let decision: Decision;
    try {
      decision = decideRegister(job.intent, snapshot, job.policy, now, job.isUnreachable);
    } catch (error) {
      this.#end(job, this.#failure(error));
      return;
    }
    switch (decision.kind) {
      case 'changed':
        this.#commit(job, snapshot.version, decision, now);
        return;
      case 'refused':
        if (!certain && refusalRow(decision.refusal.label).byState === true) this.#readAndTry(job);
        else if (asksEdges(job, decision.refusal)) this.#askEdges(job);
        else this.#end(job, decision.refusal);
        return;
      case 'unchanged':
        if (certain) this.#accept(job, decision, now, decision.reason);
        else this.#readAndTry(job);
        return;
      default:
        assertNever(decision, 'decision');
    }
  }

  #commit(
    job: RegisterJob,
    expectedVersion: number,
    decision: Extract<Decision, { kind: 'changed' }>,
    now: EpochMs,
  ): void {
    const { aor } = job.intent;
    const { bindings, changes } = decision;
    const actor = job.thirdParty ?? aor;
    this.#parts.location.commitThen(
      { aor, expectedVersion, bindings, changes, trace: job.trace, actor },
      (error, outcome) => {
        if (outcome === undefined) this.#failCommit(job, error);
        else if (outcome.kind === 'conflict') this.#conflict(job, outcome);
        else this.#committed(job, outcome.version, decision, now);
      },
    );
  }

  #committed(
    job: RegisterJob,
    version: number,
    decision: Extract<Decision, { kind: 'changed' }>,
    now: EpochMs,
  ): void {
    const { memory, counters } = this.#parts;
    memory.remember(job.intent.aor, version, decision.bindings);
    countChanges(counters, decision.changes);
    if (job.thirdParty !== undefined) this.#audit(job, decision);
    this.#accept(job, decision, now, 'committed');
  }

  #conflict(job: RegisterJob, { snapshot }: Extract<CommitOutcome, { kind: 'conflict' }>): void {
    this.#parts.counters.conflicts += 1;
    job.conflicts += 1;
    if (job.conflicts >= MAX_CONFLICTS) this.#end(job, CONTENDED);
    else this.#try(job, snapshot, true);
  }

  /** Whether it was written is unknown: what is remembered may be wrong now, and the phone asks again (invariant 1). */
  #failCommit(job: RegisterJob, error: Error | undefined): void {
    this.#parts.memory.forget(job.intent.aor);
    this.#end(job, this.#failure(error));
  }

  #failure(error: unknown): Refusal {
    if (error instanceof StoreUnavailable) return STORE_AWAY;
    this.#parts.log.error({ err: error }, 'a REGISTER failed for a fault of ours');
    return FAULT;
  }

  #accept(job: RegisterJob, accepted: Accepted, now: EpochMs, outcome: OutcomeLabel): void {
    this.#leave(job);
    this.#note(job.request, outcome, 200);
    const { intent, policy } = job;
    const gruus = intent.supportsGruu && policy.gruu ? this.#parts.gruus : undefined;
    const terms = { aor: intent.aor, policy, gruus, source: intent.source };
    job.reply(renderAccepted(job.request, accepted, now, terms));
  }

  #end(job: RegisterJob, refusal: Refusal): void {
    this.#leave(job);
    this.#refuse(job.request, job.reply, refusal);
  }

  /** The job is over: the next of its AoR begins. */
  #leave(job: RegisterJob): void {
    this.#inFlight -= 1;
    const next = this.#lines.leave(job);
    if (next !== undefined) this.#begin(next);
  }

  #refuse(request: SipRequest, reply: Reply, refusal: Refusal): void {
    this.#note(request, refusal.label, refusal.status ?? refusalRow(refusal.label).status, refusal.detail);
    reply(renderRefusal(request, refusal, this.#parts.retryAfter()), refusal.label);
  }

  #note(request: SipRequest, outcome: OutcomeLabel, status: number, detail?: string): void {
    const { counters, log } = this.#parts;
    counters.outcomes[outcome] += 1;
    if (!log.isDebug) return;
    const fields = {
      to: request.header('to'),
      callId: request.header('call-id'),
      cseq: request.header('cseq'),
    };
    log.debug({ ...fields, outcome, status, detail }, 'REGISTER');
  }

  #audit(job: RegisterJob, decision: Extract<Decision, { kind: 'changed' }>): void {
    const { audit, log } = this.#parts;
    const detail = decision.changes.map(({ kind, binding }) => `${kind} ${binding.contact}`).join(', ');
    const actor = job.thirdParty ?? '';
    audit
      .append({ actor, action: 'register.third-party', target: job.intent.aor, detail })
      .catch((error: unknown) => {
        log.warn({ err: error, actor, aor: job.intent.aor }, 'an audit record was lost');
      });
  }
}

/** The settings of the user who asks, as JSON; the edge removes it from requests of phones. */
const POLICY_HEADER = 'x-rollcall-policy';
const STREAM = { stream: true };
/** An answer that writes nothing promises what it lists all the same (invariant 1). */
const CONFIRMED = { confirmed: true };

const asksEdges = (job: RegisterJob, refusal: Refusal): boolean =>
  refusal.label === 'too-many-contacts' &&
  job.policy.onLimit === 'evict-unreachable' &&
  job.isUnreachable === undefined;
