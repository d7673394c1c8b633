import type { Domain, Domains } from '@rollcall/location';
import { listOf, numberOf, textOf } from './call.ts';
import type { Reply } from './call.ts';
import type { StoreClient } from './client.ts';
import { printJson, readJson } from './octets.ts';
import { slotOf } from './slot.ts';
import { userKeys } from './user-keys.ts';

const SLOT = slotOf(userKeys.domains);

/** Domains in Redis: one hash, for they are few. */
export class RedisDomains implements Domains {
  constructor(private readonly client: StoreClient) {}

  async get(name: string): Promise<Domain | undefined> {
    return readDomain(await this.client.command(SLOT, ['HGET', userKeys.domains, name]));
  }

  async put(domain: Domain): Promise<void> {
    await this.client.write(SLOT, ['HSET', userKeys.domains, domain.name, printJson(domain)]);
    await this.#tell(domain.name);
  }

  async remove(name: string): Promise<boolean> {
    const removed = await this.client.write(SLOT, ['HDEL', userKeys.domains, name]);
    await this.#tell(name);
    return numberOf(removed) > 0;
  }

  async list(): Promise<readonly Domain[]> {
    const reply = await this.client.command(SLOT, ['HVALS', userKeys.domains]);
    return listOf(reply)
      .map(readDomain)
      .filter((domain) => domain !== undefined)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  onChange(listener: () => void): () => void {
    return this.client.subscribe(userKeys.domainsChannel, listener, listener);
  }

  async #tell(name: string): Promise<void> {
    await this.client.command(SLOT, ['PUBLISH', userKeys.domainsChannel, name]);
  }
}

function readDomain(reply: Reply): Domain | undefined {
  const value = readJson(textOf(reply));
  return typeof value === 'object' && value !== null && 'name' in value ? (value as Domain) : undefined;
}
