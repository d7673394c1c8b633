import { epochMs } from '@rollcall/kernel';
import { DEFAULT_POLICY, effectivePolicy } from '@rollcall/location';
import type { BindingId } from '@rollcall/location';
import { REGISTER_REFUSALS, remaining } from '@rollcall/registration';
import { EDGE_PATH, scenarioAnswer, writeRegister } from '@rollcall/registration/scenario';
import type {
  RegisterFields,
  ScenarioAnswer,
  ScenarioBinding,
  ScenarioDriver,
  ScenarioWorld,
} from '@rollcall/registration/scenario';
import { aorOf, Replica, START, World } from './support.ts';

const MS_PER_SECOND = 1000;
const VIA = 'SIP/2.0/TCP 192.0.2.250:5080;branch=z9hG4bK-scenario';

/** Plays scenarios on two registrars over one store, in this process; each request goes to the other one. */
export class ServiceDriver implements ScenarioDriver {
  #world = new World();
  #replicas: readonly Replica[] = [];
  #turn = 0;

  async begin(world: ScenarioWorld): Promise<string | undefined> {
    this.#world = new World();
    this.#world.domains.splice(0, Infinity, ...world.domains.map((name) => ({ name })));
    for (const user of world.users) this.#world.users.add(aorOf(user));
    for (const { identity, aor } of world.grants) this.#world.granted.set(aorOf(aor), [aorOf(identity)]);
    for (const { alias, aor } of world.aliases) this.#world.aliases.set(aorOf(alias), aorOf(aor));
    const policy = effectivePolicy(DEFAULT_POLICY, world.policy);
    this.#replicas = [new Replica(this.#world, policy), new Replica(this.#world, policy)];
    await new Promise((resolve) => setImmediate(resolve));
    return undefined;
  }

  async given(aor: string, given: ScenarioBinding): Promise<void> {
    const { memory, now } = this.#world;
    const { version, bindings } = await memory.read(aorOf(aor));
    const name = `given-${bindings.length.toString()}`;
    const binding = {
      id: name as BindingId,
      contact: given.contact,
      params: '',
      callId: given.callId ?? name,
      cseq: given.cseq ?? 1,
      path: [],
      registeredAt: now,
      refreshedAt: now,
      expiresAt: epochMs(now + (given.expires ?? DEFAULT_POLICY.defaultExpires) * MS_PER_SECOND),
    };
    await memory.commit({
      aor: aorOf(aor),
      expectedVersion: version,
      bindings: [...bindings, binding],
      changes: [],
    });
  }

  async at(atSeconds: number): Promise<void> {
    this.#world.now = epochMs(START + atSeconds * MS_PER_SECOND);
    for (const replica of this.#replicas) await replica.sweeper.sweep();
  }

  async register(fields: RegisterFields): Promise<ScenarioAnswer> {
    const identity = fields.identity === undefined ? '' : `P-Asserted-Identity: <${fields.identity}>\r\n`;
    const path = fields.throughEdge ? `Path: ${EDGE_PATH}\r\n` : '';
    this.#turn += 1;
    const replica = this.#replicas[this.#turn % this.#replicas.length]!;
    return scenarioAnswer(await replica.send(writeRegister(fields, VIA, path + identity)));
  }

  statusOf(refusal: string): number | undefined {
    return Object.entries(REGISTER_REFUSALS).find(([label]) => label === refusal)?.[1].status;
  }

  async bindings(aor: string): Promise<readonly ScenarioBinding[]> {
    const { memory, now } = this.#world;
    const { bindings } = await memory.read(aorOf(aor));
    return bindings.map((binding) => ({
      contact: binding.contact,
      expires: remaining(binding, now),
      callId: binding.callId,
      cseq: binding.cseq,
    }));
  }

  end(): Promise<void> {
    return Promise.resolve();
  }
}
