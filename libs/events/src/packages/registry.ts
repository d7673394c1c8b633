import type { Gruus } from '@rollcall/location';
import { dialog } from './dialog.ts';
import { features } from './features.ts';
import { messageSummary } from './message-summary.ts';
import type { EventPackage } from './package.ts';
import { presence } from './presence.ts';
import { regOf } from './reg.ts';
import { uaProfile } from './ua-profile.ts';
import { winfoOf } from './winfo.ts';

/** The event packages that this notifier knows. */
export class PackageRegistry {
  readonly #byName: ReadonlyMap<string, EventPackage>;
  /** Value of Allow-Events, which names no template packages (RFC 6665 §4.4.4). */
  readonly allowEvents: string;

  constructor(packages: readonly EventPackage[]) {
    this.#byName = new Map(packages.map((each) => [each.name, each]));
    const names = packages.map(({ name }) => name);
    this.allowEvents = names.filter((name) => !name.includes('.')).join(', ');
  }

  find(name: string): EventPackage | undefined {
    return this.#byName.get(name);
  }
}

export interface PackageOptions {
  /** Makes the GRUUs that `reg` tells of (RFC 5628); without, it tells none. */
  readonly gruus?: Gruus | undefined;
  /** Where devices find their profiles, with `{user}`, `{mac}` and `{domain}`; without, there is no `ua-profile`. */
  readonly profileUrl?: string | undefined;
}

/** Every package there is. */
export const standardPackages = ({ gruus, profileUrl = '' }: PackageOptions = {}): PackageRegistry =>
  new PackageRegistry([
    presence,
    regOf(gruus),
    messageSummary,
    dialog,
    winfoOf(presence.name),
    winfoOf(dialog.name),
    features,
    ...(profileUrl === '' ? [] : [uaProfile(profileUrl)]),
  ]);
