import type { Aor, Grants } from '@rollcall/location';
import { listOf, numberOf, textOf } from './call.ts';
import type { StoreClient } from './client.ts';
import { userKeys, userSlot } from './user-keys.ts';

/** Grants in Redis: a set for each AoR that has any. A change is told like one of the AoR's user. */
export class RedisGrants implements Grants {
  constructor(private readonly client: StoreClient) {}

  async get(aor: Aor): Promise<readonly Aor[]> {
    const reply = await this.client.command(userSlot(aor), ['SMEMBERS', userKeys.grants(aor)]);
    return listOf(reply)
      .map((identity) => textOf(identity) as Aor)
      .sort();
  }

  async put(aor: Aor, identity: Aor): Promise<void> {
    await this.client.write(userSlot(aor), ['SADD', userKeys.grants(aor), identity]);
    await this.#tell(aor);
  }

  async remove(aor: Aor, identity: Aor): Promise<boolean> {
    const removed = await this.client.write(userSlot(aor), ['SREM', userKeys.grants(aor), identity]);
    await this.#tell(aor);
    return numberOf(removed) > 0;
  }

  async #tell(aor: Aor): Promise<void> {
    await this.client.command(userSlot(aor), ['PUBLISH', userKeys.usersChannel, aor]);
  }
}
