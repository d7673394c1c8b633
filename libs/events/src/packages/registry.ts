import { messageSummary } from './message-summary.ts';
import type { EventPackage } from './package.ts';
import { presence } from './presence.ts';
import { reg } from './reg.ts';

/** The event packages that this notifier knows. */
export class PackageRegistry {
  readonly #byName: ReadonlyMap<string, EventPackage>;
  /** Value of Allow-Events (RFC 6665 §8.2.2). */
  readonly allowEvents: string;

  constructor(packages: readonly EventPackage[]) {
    this.#byName = new Map(packages.map((each) => [each.name, each]));
    this.allowEvents = packages.map((each) => each.name).join(', ');
  }

  find(name: string): EventPackage | undefined {
    return this.#byName.get(name);
  }
}

export const standardPackages = (): PackageRegistry => new PackageRegistry([presence, reg, messageSummary]);
