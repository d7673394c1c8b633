import { AliasTaken } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import { listOf, textOf } from './call.ts';
import type { StoreClient } from './client.ts';
import { defineScript } from './script.ts';
import { userKeys, userSlot } from './user-keys.ts';

const claimScript = defineScript(new URL('../scripts/claim-alias.lua', import.meta.url), 2);
const keepScript = defineScript(new URL('../scripts/keep-alias.lua', import.meta.url), 1);
const releaseScript = defineScript(new URL('../scripts/release-alias.lua', import.meta.url), 1);

/** True when the user's own record says that they have the alias: the way from an alias to a user may be left over. */
export type HasAlias = (aor: Aor, alias: Aor) => Promise<boolean>;

/** The way from an alias to its user. It stands in the shard of the alias, so that an alias cannot become an AoR meanwhile. */
export class RedisAliases {
  constructor(
    private readonly client: StoreClient,
    private readonly hasAlias: HasAlias,
  ) {}

  /** The AoR that an alias leads to; only that user's record says whether it still does. */
  async meant(alias: Aor): Promise<Aor | undefined> {
    const reply = await this.client.command(userSlot(alias), ['GET', userKeys.alias(alias)]);
    return Buffer.isBuffer(reply) ? (textOf(reply) as Aor) : undefined;
  }

  /** Lets all of them mean `aor`, or none: then throws `AliasTaken`. Those that are new. */
  async claim(aor: Aor, aliases: readonly Aor[]): Promise<readonly Aor[]> {
    const claimed: Aor[] = [];
    for (const alias of aliases) {
      const outcome = await this.#claimOne(aor, alias);
      if (outcome === 'claimed') claimed.push(alias);
      if (outcome !== 'taken') continue;
      await this.release(aor, claimed);
      throw new AliasTaken(alias);
    }
    return claimed;
  }

  async release(aor: Aor, aliases: readonly Aor[]): Promise<void> {
    await Promise.all(
      aliases.map((alias) =>
        this.client.run(releaseScript, userSlot(alias), [userKeys.alias(alias), aor, alias]),
      ),
    );
  }

  /** Lets claims last: their user is stored by now. A claim that nobody keeps is over after a while. */
  async keep(aliases: readonly Aor[]): Promise<void> {
    await Promise.all(
      aliases.map((alias) => this.client.run(keepScript, userSlot(alias), [userKeys.alias(alias)])),
    );
  }

  /** Tells of aliases that were given: their user is stored by now. */
  async tell(aliases: readonly Aor[]): Promise<void> {
    await Promise.all(
      aliases.map((alias) => this.client.command(userSlot(alias), ['PUBLISH', userKeys.usersChannel, alias])),
    );
  }

  /** Undoes what a `put` or `remove` that died in the middle has left; true when it was so. */
  async dropLeftOver(alias: Aor, holder: Aor): Promise<boolean> {
    if (await this.hasAlias(holder, alias)) return false;
    await this.release(holder, [alias]);
    return true;
  }

  async #claimOne(aor: Aor, alias: Aor): Promise<string> {
    const first = await this.#tryClaim(aor, alias, '');
    if (first.outcome !== 'taken' || first.holder === '') return first.outcome;
    if (await this.hasAlias(first.holder as Aor, alias)) return 'taken';
    return (await this.#tryClaim(aor, alias, first.holder)).outcome;
  }

  async #tryClaim(aor: Aor, alias: Aor, loser: string): Promise<{ outcome: string; holder: string }> {
    const keys = [userKeys.user(alias), userKeys.alias(alias)];
    const reply = listOf(await this.client.run(claimScript, userSlot(alias), [...keys, aor, loser]));
    return { outcome: textOf(reply[0]), holder: textOf(reply[1]) };
  }
}
