import { epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import { DEFAULT_POLICY, Gruus } from '@rollcall/location';
import type {
  Aor,
  Binding,
  Commit,
  CommitOutcome,
  DueReader,
  LocationReader,
  LocationWriter,
  Policy,
} from '@rollcall/location';
import { parseMessage } from '@rollcall/sip';
import type { SipResponse } from '@rollcall/sip';
import { EDGE_PATH } from '@rollcall/registration/scenario';
import { PROCESS_TIMERS } from '@rollcall/sip-net';
import { Authorizer } from '../../src/authorizer.ts';
import { zeroCounters } from '../../src/counters.ts';
import { DomainTable } from '../../src/domain-table.ts';
import { RegisterHandler } from '../../src/on-register.ts';
import { SnapshotMemory } from '../../src/snapshot-memory.ts';
import { Sweeper } from '../../src/sweeper.ts';
import { aorOf, quiet } from '../support.ts';
import { REPLICAS } from './plan.ts';
import type { Act, Plan, Step } from './plan.ts';
import type { ModelContact, ModelPolicy, ModelRegister } from './reference.ts';

/** A commit that the store has accepted. */
export interface LoggedCommit {
  readonly aor: Aor;
  readonly before: number;
  readonly version: number;
  readonly bindings: readonly Binding[];
  readonly step: number;
  /** The exchange that it belongs to; undefined for a sweeper's. */
  readonly exchange: number | undefined;
  readonly actor: string | undefined;
}

/** A request and its answer. */
export interface Exchange {
  readonly id: number;
  readonly aor: Aor;
  readonly request: ModelRegister;
  readonly step: number;
  /** Commits that were known to be done when it was sent. */
  readonly after: number;
  readonly answer: SipResponse;
}

/** What happened, in the order in which it was learned. */
export interface History {
  readonly commits: readonly LoggedCommit[];
  readonly exchanges: readonly Exchange[];
  /** By number of step. */
  readonly times: readonly EpochMs[];
  readonly acts: number;
}

export type ModelStore = LocationReader & LocationWriter & DueReader;

/** Moves a call to the store by some turns of the loop, so that calls of several registrars cross. */
export type Delay = () => Promise<void>;

const DOMAIN = 'example.test';

/** Three registrars over one store, carrying out a plan. */
export class ModelSystem {
  readonly #commits: LoggedCommit[] = [];
  readonly #exchanges: Exchange[] = [];
  readonly #times: EpochMs[] = [];
  readonly #handlers: RegisterHandler[] = [];
  readonly #sweepers: Sweeper[] = [];
  #now: EpochMs;
  #step = 0;
  #acts = 0;
  #asked = 0;

  constructor(
    /** The store, by as many connections: each registrar has its own. */
    private readonly stores: readonly ModelStore[],
    private readonly delay: Delay,
    policy: ModelPolicy,
    start: EpochMs,
    /** Tells the users of one plan from those of another in a store that they share. */
    private readonly prefix = '',
  ) {
    this.#now = start;
    for (let n = 0; n < REPLICAS; n++)
      this.#addRegistrar(registrarPolicy(policy), stores[n % stores.length] as ModelStore);
  }

  aor(user: string): Aor {
    return aorOf(`sip:${this.prefix}${user}@${DOMAIN}`);
  }

  async carryOut(plan: Plan): Promise<History> {
    await new Promise((resolve) => setImmediate(resolve));
    for (const [index, step] of plan.steps.entries()) await this.#take(index, step);
    const { length } = plan.steps;
    await this.#take(length, { after: 0, acts: [] });
    return { commits: this.#commits, exchanges: this.#exchanges, times: this.#times, acts: this.#acts };
  }

  async #take(index: number, step: Step): Promise<void> {
    this.#step = index;
    this.#now = epochMs(this.#now + step.after * 1000);
    this.#times.push(this.#now);
    await Promise.all(step.acts.map((act) => this.#act(act)));
  }

  #act(act: Act): Promise<unknown> {
    this.#acts += 1;
    switch (act.kind) {
      case 'register':
        this.#acts += act.replicas.length - 1;
        return Promise.all(act.replicas.map((replica) => this.#register(act.user, act.request, replica)));
      case 'sweep':
        return this.#sweepers[act.replica]?.sweep() ?? Promise.resolve();
      case 'delete':
        return this.#delete(this.aor(act.user), act.uri);
    }
  }

  async #register(user: string, request: ModelRegister, replica: number): Promise<void> {
    const id = this.#asked;
    this.#asked += 1;
    const [step, after] = [this.#step, this.#commits.length];
    const parsed = parseMessage(registerText(this.aor(user), request, id));
    if (!parsed.ok || parsed.value.kind !== 'request') throw new Error('not a request');
    const message = parsed.value;
    const answer = await new Promise<SipResponse>((resolve, reject) => {
      const answered = (text: string): void => {
        const reply = parseMessage(text);
        if (reply.ok && reply.value.kind === 'response') resolve(reply.value);
        else reject(new Error(`not a response: ${text}`));
      };
      this.#handlers[replica]?.handle(message, answered, String(id));
    });
    this.#exchanges.push({ id, aor: this.aor(user), request, step, after, answer });
  }

  async #delete(aor: Aor, uri: string): Promise<void> {
    const location = this.#logged(this.stores[0] as ModelStore);
    let snapshot = await location.read(aor);
    for (;;) {
      const live = snapshot.bindings.filter(({ expiresAt }) => expiresAt > this.#now);
      const gone = live.filter(({ contact }) => contact === uri);
      if (gone.length === 0) return;
      const outcome = await location.commit({
        aor,
        expectedVersion: snapshot.version,
        bindings: live.filter(({ contact }) => contact !== uri),
        changes: gone.map((binding) => ({ kind: 'deactivated', binding })),
        actor: `delete ${uri}`,
      });
      if (outcome.kind === 'committed') return;
      snapshot = outcome.snapshot;
    }
  }

  #addRegistrar(policy: Policy, store: ModelStore): void {
    const source = { list: () => Promise.resolve([{ name: DOMAIN }]), onChange: () => () => undefined };
    const domains = new DomainTable(source, PROCESS_TIMERS, policy, quiet);
    domains.start();
    const nobody = { find: () => Promise.resolve(undefined), grants: { get: () => Promise.resolve([]) } };
    const parts = {
      location: this.#logged(store),
      clock: { now: () => this.#now },
      memory: new SnapshotMemory(100),
      counters: zeroCounters(),
      log: quiet,
    };
    this.#handlers.push(
      new RegisterHandler({
        ...parts,
        domains,
        authorizer: new Authorizer(nobody, domains),
        audit: { append: () => Promise.resolve() },
        edges: { list: () => Promise.resolve([]) },
        gruus: new Gruus('a secret of the model'),
        retryAfter: () => 1,
      }),
    );
    const due = { takeDue: store.takeDue.bind(store), rearm: store.rearm.bind(store) };
    this.#sweepers.push(new Sweeper({ ...parts, location: { ...parts.location, ...due } }));
  }

  /** The store, with a log of what it accepts. */
  #logged(
    store: ModelStore,
  ): LocationReader & LocationWriter & { commitThen: (commit: Commit, done: Done) => void } {
    const commit = async (asked: Commit): Promise<CommitOutcome> => {
      const step = this.#step;
      await this.delay();
      const outcome = await store.commit(asked);
      if (outcome.kind === 'committed') {
        const exchange = asked.trace === undefined ? undefined : Number(asked.trace);
        const { aor, bindings, expectedVersion: before, actor } = asked;
        this.#commits.push({ aor, before, version: outcome.version, bindings, step, exchange, actor });
      }
      await this.delay();
      return outcome;
    };
    return {
      read: async (aor) => {
        await this.delay();
        const snapshot = await store.read(aor);
        await this.delay();
        return snapshot;
      },
      commit,
      commitThen: (asked, done) => {
        commit(asked).then(
          (outcome) => {
            done(undefined, outcome);
          },
          (error: unknown) => {
            done(error as Error, undefined);
          },
        );
      },
    };
  }
}

type Done = (error: Error | undefined, outcome: CommitOutcome | undefined) => void;

const registrarPolicy = (policy: ModelPolicy): Policy => ({
  ...DEFAULT_POLICY,
  minExpires: policy.min,
  defaultExpires: policy.usual,
  maxExpires: policy.max,
  maxContacts: policy.contacts,
  onLimit: policy.onLimit,
  outbound: 'supported',
});

function registerText(aor: Aor, { callId, cseq, action }: ModelRegister, id: number): string {
  const contacts =
    action === 'query'
      ? []
      : action === 'clear'
        ? ['Contact: *', 'Expires: 0']
        : action.map((contact) => `Contact: ${contactText(contact)}`);
  return [
    `REGISTER sip:${DOMAIN} SIP/2.0`,
    `Via: SIP/2.0/TCP 192.0.2.250:5080;branch=z9hG4bK${id.toString()}`,
    'Max-Forwards: 69',
    `From: <${aor}>;tag=f1`,
    `To: <${aor}>`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq.toString()} REGISTER`,
    `P-Asserted-Identity: <${aor}>`,
    'Supported: path, outbound, gruu',
    `Path: ${EDGE_PATH}`,
    ...contacts,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}

function contactText({ uri, instance, regId, q, expires }: ModelContact): string {
  let text = `<${uri}>`;
  if (q !== undefined) text += `;q=${(q / 1000).toString()}`;
  if (instance !== undefined) text += `;+sip.instance="${instance}"`;
  if (regId !== undefined) text += `;reg-id=${regId.toString()}`;
  return expires === undefined ? text : `${text};expires=${expires.toString()}`;
}
