import type {
  AuditLog,
  EdgeLeases,
  Grants,
  LocationCommitter,
  LocationReader,
  LocationWriter,
  UserReader,
} from '@rollcall/location';

/** What the registrar needs of the location store. */
export type RegistrarLocation = LocationReader & LocationWriter & LocationCommitter;

/** What it needs of the users: whether one exists, and who else may register for one. */
export interface RegistrarUsers extends Pick<UserReader, 'find'> {
  readonly grants: Pick<Grants, 'get'>;
}

/** Which edges live: asked only where a policy evicts bindings that lead nowhere. */
export type RegistrarEdges = Pick<EdgeLeases, 'list'>;

export type RegistrarAudit = Pick<AuditLog, 'append'>;

/** What it logs. `isDebug` is asked before the fields of a debug line are built. */
export interface RegistrarLog {
  readonly isDebug: boolean;
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}
