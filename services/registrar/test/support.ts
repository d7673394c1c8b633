import { epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import { DEFAULT_POLICY, Gruus, MemoryLocation, parseAor, StoreUnavailable } from '@rollcall/location';
import type { Aor, AuditEntry, Domain, EdgeLease, Policy, PolicySettings, User } from '@rollcall/location';
import { parseMessage } from '@rollcall/sip';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import { PROCESS_TIMERS } from '@rollcall/sip-net';
import { Authorizer } from '../src/authorizer.ts';
import { zeroCounters } from '../src/counters.ts';
import { DomainTable } from '../src/domain-table.ts';
import { RegisterHandler } from '../src/on-register.ts';
import type { RegistrarAudit, RegistrarLocation, RegistrarUsers } from '../src/ports.ts';
import { SnapshotMemory } from '../src/snapshot-memory.ts';
import { Sweeper } from '../src/sweeper.ts';

export const START = epochMs(1_700_000_000_000);
const RETRY_AFTER = 3;

export const quiet = {
  isDebug: true,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export const aorOf = (text: string): Aor => {
  const aor = parseAor(text);
  if (!aor.ok) throw new Error(text);
  return aor.value;
};

/** One store, with a clock that is turned by hand and a switch that takes it away. */
export class World implements RegistrarUsers, RegistrarAudit {
  now: EpochMs = START;
  readonly clock = { now: () => this.now };
  readonly memory = new MemoryLocation(this.clock);
  readonly domains: Domain[] = [{ name: 'example.test' }];
  readonly users = new Set<string>();
  readonly granted = new Map<string, Aor[]>();
  readonly audited: AuditEntry[] = [];
  /** Told when the domains change. */
  readonly listeners = new Set<() => void>();
  readonly aliases = new Map<Aor, Aor>();
  readonly policies = new Map<Aor, PolicySettings>();
  readonly leases: EdgeLease[] = [];
  leaseReads = 0;
  readonly edges = {
    list: async () => {
      this.leaseReads += 1;
      await this.#check();
      return this.leases;
    },
  };
  away = false;
  /** Commits that are carried out and whose answers are lost. */
  answersLost = false;
  /** Tells each replica its commits: the tests count round trips. */
  reads = 0;
  commits = 0;

  readonly location: RegistrarLocation = {
    read: async (aor) => {
      this.reads += 1;
      await this.#check();
      return this.memory.read(aor);
    },
    commit: async (commit) => {
      this.commits += 1;
      await this.#check();
      const outcome = await this.memory.commit(commit);
      if (this.answersLost) throw new StoreUnavailable('no answer');
      return outcome;
    },
    commitThen: (commit, done) => {
      this.location.commit(commit).then(
        (outcome) => {
          done(undefined, outcome);
        },
        (error: unknown) => {
          done(error as Error, undefined);
        },
      );
    },
  };

  readonly grants = { get: (aor: Aor) => Promise.resolve(this.granted.get(aor) ?? []) };

  async find(aor: Aor): Promise<User | undefined> {
    await this.#check();
    const primary = this.aliases.get(aor) ?? aor;
    if (!this.users.has(primary)) return undefined;
    const policy = this.policies.get(primary);
    const user = { aor: primary, authUser: 'x', realm: 'example.test', ha1: {}, enabled: true };
    return policy === undefined ? user : { ...user, policy };
  }

  changed(): void {
    for (const listener of this.listeners) listener();
  }

  append(entry: AuditEntry): Promise<void> {
    this.audited.push(entry);
    return Promise.resolve();
  }

  async #check(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.away) throw new StoreUnavailable('away');
  }
}

/** A registrar without its sockets. */
export class Replica {
  readonly counters = zeroCounters();
  readonly memory = new SnapshotMemory(1000);
  readonly table: DomainTable;
  readonly handler: RegisterHandler;
  readonly sweeper: Sweeper;

  constructor(world: World, policy: Policy = DEFAULT_POLICY) {
    const { counters, memory } = this;
    const source = {
      list: () => Promise.resolve(world.domains),
      onChange: (listener: () => void) => {
        world.listeners.add(listener);
        return () => world.listeners.delete(listener);
      },
    };
    this.table = new DomainTable(source, PROCESS_TIMERS, policy, quiet);
    this.table.start();
    const parts = { location: world.location, clock: world.clock, memory, counters, log: quiet };
    this.handler = new RegisterHandler({
      ...parts,
      domains: this.table,
      authorizer: new Authorizer(world, this.table),
      audit: world,
      edges: world.edges,
      gruus: new Gruus('a secret of these tests'),
      retryAfter: () => RETRY_AFTER,
    });
    const due = {
      takeDue: world.memory.takeDue.bind(world.memory),
      rearm: world.memory.rearm.bind(world.memory),
    };
    this.sweeper = new Sweeper({ ...parts, location: { ...world.location, ...due } });
  }

  /** Resolves with the one answer. */
  send(text: string): Promise<SipResponse> {
    const request = parseRequest(text);
    return new Promise((resolve, reject) => {
      this.handler.handle(
        request,
        (message) => {
          const answer = parseMessage(message);
          if (answer.ok && answer.value.kind === 'response') resolve(answer.value);
          else reject(new Error(`not a response: ${message}`));
        },
        undefined,
      );
    });
  }
}

function parseRequest(text: string): SipRequest {
  const parsed = parseMessage(text);
  if (!parsed.ok || parsed.value.kind !== 'request') throw new Error(`not a request: ${text}`);
  return parsed.value;
}

export interface RegisterOptions {
  readonly user?: string;
  readonly identity?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly lines?: readonly string[];
  readonly method?: string;
}

/** A REGISTER as an edge forwards it. */
export function register(options: RegisterOptions): string {
  const { user = 'alice', callId = 'c1', cseq = 1, lines = [], method = 'REGISTER' } = options;
  return [
    `${method} sip:example.test SIP/2.0`,
    `Via: SIP/2.0/TCP 192.0.2.250:5080;branch=z9hG4bK${callId}${cseq.toString()}`,
    'Via: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKphone;received=198.51.100.7;rport=40000',
    'Max-Forwards: 69',
    `From: <sip:${user}@example.test>;tag=f1`,
    `To: <sip:${user}@example.test>`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq.toString()} ${method}`,
    `P-Asserted-Identity: <sip:${options.identity ?? user}@example.test>`,
    ...lines,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}
