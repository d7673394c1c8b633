import type { FastifyRequest } from 'fastify';
import { ProblemError } from '@rollcall/http';
import type { Aor, LocationWatcher } from '@rollcall/location';
import { aorDomain, parseAor } from '@rollcall/location';
import type { Logger, Tracing } from '@rollcall/telemetry';
import type { AdminPorts } from './ports.ts';
import { identityOf } from './auth/access.ts';
import { actorOf, mustSee, sees } from './auth/identity.ts';
import type { Tokens } from './auth/tokens.ts';
import type { StreamGate } from './events/stream-gate.ts';
import { octets, readAor, shown } from './text.ts';
import type { History } from './trace/history.ts';
import type { LiveEdges } from './trace/live-edges.ts';

/** What handlers are given. */
export interface AdminContext {
  readonly ports: AdminPorts;
  readonly tokens: Tokens;
  readonly log: Logger;
  readonly tracing: Tracing;
  readonly streams: StreamGate;
  /** The change streams, read once for all event streams. */
  readonly watcher: LocationWatcher;
  readonly liveEdges: LiveEdges;
  readonly history: History;
  readonly version: string;
  /** Webhooks may reach private addresses. */
  readonly webhooksInside: boolean;
}

/** Names of our domains by their aliases. */
export async function domainAliases({ ports }: AdminContext): Promise<ReadonlyMap<string, string>> {
  const aliases = new Map<string, string>();
  for (const domain of await ports.users.domains.list()) {
    for (const alias of domain.aliases ?? []) aliases.set(alias, domain.name);
  }
  return aliases;
}

/** Domains in which a number is looked for. */
const MOST_HOMES = 64;

/**
 * The AoR of a path or query parameter, if the token sees its domain; 404 otherwise. A `tel:` number is at home in the domain where a
 * user has it (RFC 3966 §5); 400 where several have.
 */
export async function visibleAor(context: AdminContext, request: FastifyRequest, text: string): Promise<Aor> {
  const aliases = await domainAliases(context);
  const aor = readAor(text, aliases);
  const home = aor.startsWith('tel:') ? await numberAtHome(context, request, text, aor) : aor;
  mustSee(identityOf(request), aorDomain(home));
  return home;
}

/** The same number in the only domain that the token sees and where it means a user; as it is where none has it. */
async function numberAtHome(
  { ports: { users } }: AdminContext,
  request: FastifyRequest,
  text: string,
  bare: Aor,
): Promise<Aor> {
  const identity = identityOf(request);
  const homes = (await users.domains.list()).filter(({ name }) => sees(identity, name));
  if (homes.length > MOST_HOMES) throw ambiguous(bare, 'there are too many domains to look for it in');
  const named = homes.flatMap(({ name }) => {
    const read = parseAor(octets(text), { telDomain: name });
    return read.ok ? [read.value] : [];
  });
  const found = await Promise.all(named.map((aor) => users.find(aor)));
  const [only, another] = named.filter((_, n) => found[n] !== undefined);
  if (another !== undefined) throw ambiguous(bare, 'users of several domains have it');
  return only ?? bare;
}

const ambiguous = (number: Aor, why: string): ProblemError =>
  new ProblemError(
    'invalid-request',
    `${shown(number)} does not say which domain is meant, and ${why}: write sip:${shown(number.slice('tel:'.length))}@ and the domain`,
  );

/**
 * Writes to the audit log what an operator is about to do. Before it is done, not after: nothing is ever done without a record,
 * whatever becomes of the store or of us in between; a record may be of an act that then failed, and whose 503 or 409 the operator
 * was given. What is known to be void (404) is found out before, and leaves none. Target and detail are text, not octets.
 */
export async function recordAct(
  { ports }: AdminContext,
  request: FastifyRequest,
  action: string,
  target: string,
  detail?: string,
): Promise<void> {
  const actor = actorOf(identityOf(request));
  await ports.audit.append(
    detail === undefined ? { actor, action, target } : { actor, action, target, detail },
  );
}
