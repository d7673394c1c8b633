import type { FastifyRequest } from 'fastify';
import type { Aor, LocationWatcher } from '@rollcall/location';
import { aorDomain } from '@rollcall/location';
import type { Logger, Tracing } from '@rollcall/telemetry';
import type { AdminPorts } from './ports.ts';
import { identityOf } from './auth/access.ts';
import { actorOf, mustSee } from './auth/identity.ts';
import type { Tokens } from './auth/tokens.ts';
import type { StreamGate } from './events/stream-gate.ts';
import { readAor } from './text.ts';
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

/** The AoR of a path or query parameter, if the token sees its domain; 404 otherwise. */
export async function visibleAor(context: AdminContext, request: FastifyRequest, text: string): Promise<Aor> {
  const aor = readAor(text, await domainAliases(context));
  mustSee(identityOf(request), aorDomain(aor));
  return aor;
}

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
