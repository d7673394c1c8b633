import type { Clock } from '@rollcall/kernel';
import type { EventPackage, PackageRegistry, StateView } from '@rollcall/events';
import type { Aor } from '@rollcall/location';
import type { EventStore } from './ports.ts';

/** Reads the state of resources through the eyes of their packages. */
export class Views {
  constructor(
    private readonly store: EventStore,
    private readonly packages: PackageRegistry,
    private readonly clock: Clock,
  ) {}

  /** The state now. Throws `StoreUnavailable`. */
  async read(resource: Aor, wanted: EventPackage): Promise<StateView> {
    const state = await this.store.readState(resource, wanted.sources);
    return wanted.view(state, this.clock.now());
  }

  /** The state as the package of a record sees it; undefined for a package that this version no longer has. */
  async readFor(record: {
    readonly resource: Aor;
    readonly package: string;
  }): Promise<StateView | undefined> {
    const found = this.packages.find(record.package);
    return found === undefined ? undefined : this.read(record.resource, found);
  }
}
