import type { ClosedStage } from '@rollcall/config';
import { ha1Set } from '@rollcall/digest';
import type { Ha1Set } from '@rollcall/digest';
import { MemoryMessages, parseAor } from '@rollcall/location';
import type { Aor, User, UserDirectory } from '@rollcall/location';
import type { createInnerServer, InnerLink, InnerServer, TapSlot } from '@rollcall/sip-net';
import type { FrontUser } from '@rollcall/sip-transaction';
import { createCore } from '../core.ts';
import type { CoreOptions, CorePorts, EdgeCore } from '../core.ts';
import type { Engine } from '../engine.ts';
import type { TraceParts } from '../trace/wiring.ts';
import { Phones } from './phones.ts';
import { presenceUnderstudy, registrarUnderstudy } from './understudies.ts';
import type { InnerHandler } from './understudies.ts';

/** What the composition makes for a rehearsal as it makes it for life. */
export interface StageParts {
  readonly trace: TraceParts;
  readonly engine: Engine;
  readonly server: typeof createInnerServer;
  /** A link to the replica at `port`; without one to whoever is named. */
  readonly link: (port: number | undefined, tap: TapSlot | undefined) => InnerLink;
  readonly onRequest: (core: EdgeCore) => FrontUser;
  readonly onInnerRequest: (core: EdgeCore) => InnerHandler;
  readonly ports: Pick<CorePorts, 'clock' | 'timers' | 'random' | 'log'>;
  readonly options: Omit<CoreOptions, 'edge' | 'inner'>;
  readonly users: Pick<UserDirectory, 'put' | 'find' | 'findByCredentials'>;
  /** A word that nobody can guess. */
  readonly token: () => string;
  /** Called at the end, whatever came of it. */
  readonly close: () => Promise<void>;
}

/** RFC 2606 §2: nobody is there, whatever leaks. */
const DOMAIN = 'rehearsal.invalid';
const HOST = '127.0.0.1';

/** A second edge beside the one that serves: the same code, sockets on 127.0.0.1 of its own, stand-ins for all that is behind. */
export class EdgeStage implements ClosedStage {
  readonly #parts: StageParts;
  readonly #servers: InnerServer[] = [];
  readonly #links: InnerLink[] = [];
  #core: EdgeCore | undefined;
  #phones: Phones | undefined;

  constructor(parts: StageParts) {
    this.#parts = parts;
  }

  async open(): Promise<void> {
    const { engine, onRequest, onInnerRequest, token } = this.#parts;
    const { trace } = this.#parts.trace;
    let handle: InnerHandler = () => undefined;
    const inner = await this.#serve((request, reply) => {
      handle(request, reply);
    }, trace.inner);
    const back = this.#link(undefined, undefined);
    const presence = presenceUnderstudy((branch, message) => {
      back.requestTo({ host: HOST, port: inner.port }, branch, message, () => undefined);
    });
    const links = {
      registrar: this.#link((await this.#serve(registrarUnderstudy)).port, trace.registrar),
      presence: this.#link((await this.#serve(presence)).port, trace.presence),
    };
    const accounts = new Accounts(this.#parts.users, token);
    const core = this.#createCore(links, accounts, inner.port);
    this.#core = core;
    handle = onInnerRequest(core);
    core.domains.start();
    await Promise.all(this.#links.map((link) => link.start()));
    await engine.start(onRequest(core));
    for (const { local } of engine.listeners) core.own.add(local);
    this.#phones = await Phones.open({
      ...{ domain: DOMAIN, random: token },
      enlist: (user) => accounts.enlist(user),
    });
    this.#phones.edgePort = engine.listeners[0]?.local.port ?? 0;
  }

  play(): Promise<number> {
    return this.#phones?.play() ?? Promise.reject(new Error('the stage is not open'));
  }

  async close(): Promise<void> {
    this.#phones?.close();
    await this.#parts.engine.stop();
    for (const link of this.#links) link.close();
    await Promise.all(this.#servers.map((server) => server.close()));
    this.#core?.stop();
    this.#parts.trace.stop();
    await this.#parts.close();
  }

  async #serve(onRequest: InnerHandler, tap?: TapSlot): Promise<InnerServer> {
    const server = await this.#parts.server({
      ...{ host: HOST, port: 0, onRequest },
      ...(tap === undefined ? undefined : { tap }),
    });
    this.#servers.push(server);
    return server;
  }

  #link(port: number | undefined, tap: TapSlot | undefined): InnerLink {
    const link = this.#parts.link(port, tap);
    this.#links.push(link);
    return link;
  }

  #createCore(
    links: Pick<CorePorts, 'registrar' | 'presence'>,
    accounts: Accounts,
    innerPort: number,
  ): EdgeCore {
    const { engine, ports, options, token, trace } = this.#parts;
    return createCore(
      {
        ...ports,
        ...links,
        front: engine,
        users: accounts,
        location: { read: () => Promise.resolve({ version: 0, bindings: [] }) },
        storeClock: ports.clock,
        leases: { find: () => Promise.resolve(undefined) },
        messages: new MemoryMessages(ports.clock),
        push: undefined,
        load: { lagMs: () => 0, waiting: () => 0 },
        trace: () => undefined,
        isTraced: (octets) => trace.trace.isTraced(octets),
      },
      {
        ...options,
        edge: { id: 'rehearsal', epoch: ports.clock.now() },
        inner: `${HOST}:${String(innerPort)}`,
        secret: token() + token(),
      },
    );
  }
}

/** Users of a store that is none, each with a password of its own. */
class Accounts {
  readonly onChange = (): (() => void) => () => undefined;
  readonly domains = { list: () => Promise.resolve([{ name: DOMAIN }]), onChange: this.onChange };
  readonly grants = { get: () => Promise.resolve([]) };

  constructor(
    private readonly users: Pick<UserDirectory, 'put' | 'find' | 'findByCredentials'>,
    private readonly token: () => string,
  ) {}

  find(aor: Aor): Promise<User | undefined> {
    return this.users.find(aor);
  }

  findByCredentials(realm: string, authUser: string): Promise<User | undefined> {
    return this.users.findByCredentials(realm, authUser);
  }

  async enlist(user: string): Promise<Required<Ha1Set>> {
    const ha1 = ha1Set(user, DOMAIN, this.token());
    const aor = parseAor(`sip:${user}@${DOMAIN}`);
    if (!aor.ok) throw new Error('no AoR');
    await this.users.put({ aor: aor.value, authUser: user, realm: DOMAIN, ha1, enabled: true });
    return ha1;
  }
}
