import type {
  Aor,
  Binding,
  BindingId,
  CommitOutcome,
  LocationReader,
  LocationSnapshot,
  LocationWriter,
} from '@rollcall/location';
import { assertNever } from '@rollcall/kernel';

/** As often as a commit is tried again when phones of the same AoR register meanwhile. */
const MAX_ATTEMPTS = 8;

export type Deactivation =
  | { readonly kind: 'removed'; readonly bindings: readonly Binding[] }
  /** Nothing was selected. */
  | { readonly kind: 'none' }
  /** The version is not the one that was wanted. */
  | { readonly kind: 'other-version'; readonly version: number }
  /** Others were faster each time. */
  | { readonly kind: 'contended' };

export interface Deactivate {
  readonly aor: Aor;
  /** What watchers are told (RFC 3680 §3.6): `deactivated` has the phone register anew, `rejected` says that it may not. */
  readonly as: 'deactivated' | 'rejected';
  /** Which bindings go. */
  readonly select: (binding: Binding) => boolean;
  /** False when the caller wants another version than this. */
  readonly accepts: (version: number) => boolean;
  /** Told of what is about to go, each binding once, before anything is written. */
  readonly announce: (bindings: readonly Binding[]) => Promise<void>;
  readonly actor: string;
  readonly trace: string | undefined;
}

/**
 * Takes bindings away as an operator.
 * Compare-and-set: a refresh that comes in between is decided upon again, never overwritten. Throws `StoreUnavailable`.
 */
export async function deactivate(
  location: LocationReader & LocationWriter,
  { aor, as, select, accepts, announce, actor, trace }: Deactivate,
): Promise<Deactivation> {
  const announced = new Set<BindingId>();
  let snapshot: LocationSnapshot = await location.read(aor);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    if (!accepts(snapshot.version)) return { kind: 'other-version', version: snapshot.version };
    const gone = snapshot.bindings.filter(select);
    if (gone.length === 0) return { kind: 'none' };
    await announce(gone.filter(({ id }) => !announced.has(id)));
    for (const { id } of gone) announced.add(id);
    const outcome: CommitOutcome = await location.commit({
      aor,
      expectedVersion: snapshot.version,
      bindings: snapshot.bindings.filter((binding) => !gone.includes(binding)),
      changes: gone.map((binding) => ({ kind: as, binding })),
      actor,
      trace,
    });
    switch (outcome.kind) {
      case 'committed':
        return { kind: 'removed', bindings: gone };
      case 'conflict':
        snapshot = outcome.snapshot;
        break;
      default:
        return assertNever(outcome);
    }
  }
  return { kind: 'contended' };
}
