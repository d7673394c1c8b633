import { epochMs } from '@rollcall/kernel';
import { DEFAULT_POLICY, parseAor, type Aor, type Binding, type BindingId } from '@rollcall/location';
import { REGISTER_REFUSALS } from '@rollcall/registration';
import {
  scenarioAnswer,
  writeRegister,
  type RegisterFields,
  type Scenario,
  type ScenarioAnswer,
  type ScenarioBinding,
  type ScenarioDriver,
  type ScenarioWorld,
} from '@rollcall/registration/scenario';
import { createUsers } from '@rollcall/local';
import { answerChallenge, token, type Phone, type TestSystem } from '@rollcall/testkit';
import { setTimeout as sleep } from 'node:timers/promises';

const PASSWORD = 'scenario-secret';
const MS_PER_SECOND = 1000;
const DEFAULT_INTERVAL = 3600;
/** A domain's new settings reach the services by pub/sub. */
const SETTLE_MS = 60;

function readAor(text: string): Aor {
  const aor = parseAor(text);
  if (!aor.ok) throw new Error(`the scenario names no AoR: ${text}`);
  return aor.value;
}

/** User and domain of a SIP AoR; undefined for others, which have no password to type into a phone. */
function sipUser(aor: string): { user: string; domain: string } | undefined {
  const match = /^sip:([^@%]+)@([^@:;]+)$/.exec(aor);
  return match?.[1] === undefined || match[2] === undefined
    ? undefined
    : { user: match[1], domain: match[2] };
}

/** Why a scenario cannot be played over the wire; undefined when it can. */
export function notOverTheWire(scenario: Scenario): string | undefined {
  for (const step of scenario.steps) {
    if (step.kind !== 'register') continue;
    if (step.fields.headers.some((header) => /^Path:/i.test(header)))
      return 'a Path from outside is removed by the edge (E14)';
    if (step.fields.identity === undefined) return 'nobody is challenged before the registrar sees it';
    if (sipUser(step.fields.identity) === undefined) return 'the identity is not one that a phone logs in as';
  }
  return undefined;
}

/** Plays scenarios against running services; time is turned by moving the stored records back. */
export class WireDriver implements ScenarioDriver {
  #now = 0;
  #aors = new Set<Aor>();
  #world: ScenarioWorld | undefined;
  readonly #phones = new Map<string, Phone>();

  constructor(
    private readonly system: TestSystem,
    private readonly transport: 'udp' | 'tcp',
  ) {}

  async begin(world: ScenarioWorld): Promise<string | undefined> {
    this.#now = 0;
    this.#world = world;
    this.#aors = new Set(world.users.map(readAor));
    const store = await this.system.store();
    for (const name of world.domains) {
      const users = world.users.map(sipUser).filter((one) => one?.domain === name);
      await createUsers(
        this.system.redisUrl,
        name,
        users.map((one) => ({ user: one?.user ?? '', password: PASSWORD })),
      );
      await store.users.domains.put({ name, ...DEFAULT_POLICY, ...world.policy });
    }
    for (const aor of this.#aors) await this.#rewrite(aor, () => []);
    for (const { alias, aor } of world.aliases) await this.#alias(readAor(aor), [readAor(alias)]);
    for (const { identity, aor } of world.grants)
      await store.users.grants.put(readAor(aor), readAor(identity));
    await sleep(SETTLE_MS);
    return undefined;
  }

  async given(aor: string, { contact, expires, callId, cseq }: ScenarioBinding): Promise<void> {
    const store = await this.system.store();
    const now = store.clock.now();
    const key = readAor(aor);
    this.#aors.add(key);
    await this.#rewrite(key, (bindings) => [
      ...bindings,
      {
        id: `given-${bindings.length}` as BindingId,
        contact,
        params: '',
        callId: callId ?? `given-${bindings.length}`,
        cseq: cseq ?? 1,
        path: [],
        registeredAt: now,
        refreshedAt: now,
        expiresAt: epochMs(now + (expires ?? DEFAULT_INTERVAL) * MS_PER_SECOND),
      },
    ]);
  }

  async at(seconds: number): Promise<void> {
    const back = (seconds - this.#now) * MS_PER_SECOND;
    this.#now = seconds;
    if (back === 0) return;
    for (const aor of this.#aors) {
      await this.#rewrite(aor, (bindings) =>
        bindings.map((one) => ({
          ...one,
          registeredAt: epochMs(one.registeredAt - back),
          refreshedAt: epochMs(one.refreshedAt - back),
          expiresAt: epochMs(one.expiresAt - back),
        })),
      );
    }
  }

  async #alias(aor: Aor, aliases: readonly Aor[]): Promise<void> {
    const { users } = await this.system.store();
    const user = await users.find(aor);
    if (user !== undefined) await users.put({ ...user, aliases });
  }

  async #rewrite(aor: Aor, change: (bindings: readonly Binding[]) => readonly Binding[]): Promise<void> {
    const { location } = await this.system.store();
    const { version, bindings } = await location.read(aor);
    const next = change(bindings);
    if (bindings.length === 0 && next.length === 0) return;
    await location.commit({ aor, expectedVersion: version, bindings: next, changes: [] });
  }

  async register(fields: RegisterFields): Promise<ScenarioAnswer> {
    const phone = await this.#phone(fields.identity ?? '');
    const via = () =>
      `SIP/2.0/${this.transport.toUpperCase()} ${phone.hostPort};branch=z9hG4bK${token()};rport`;
    const challenged = await phone.transact(writeRegister(fields, via()));
    if (challenged.status !== 401 || !phone.learn(challenged) || phone.challenge === undefined)
      return scenarioAnswer(challenged);
    const { user, password } = phone.options;
    const value = answerChallenge(phone.challenge, { method: 'REGISTER', uri: fields.uri, user, password });
    return scenarioAnswer(await phone.transact(writeRegister(fields, via(), `Authorization: ${value}\r\n`)));
  }

  async #phone(identity: string): Promise<Phone> {
    const known = this.#phones.get(identity);
    if (known !== undefined) return known;
    const who = sipUser(identity);
    if (who === undefined) throw new Error(`no phone can be ${identity}`);
    const phone = await this.system.phone(
      { user: who.user, password: PASSWORD },
      { transport: this.transport, domain: who.domain },
    );
    this.#phones.set(identity, phone);
    return phone;
  }

  statusOf(refusal: string): number | undefined {
    const rows: Readonly<Record<string, { readonly status: number }>> = REGISTER_REFUSALS;
    return rows[refusal]?.status;
  }

  async bindings(aor: string): Promise<readonly ScenarioBinding[]> {
    const store = await this.system.store();
    const now = store.clock.now();
    const { bindings } = await store.location.read(readAor(aor));
    return bindings
      .filter((one) => one.expiresAt > now)
      .map((one) => ({
        contact: one.contact,
        expires: Math.ceil((one.expiresAt - now) / MS_PER_SECOND),
        callId: one.callId,
        cseq: one.cseq,
      }));
  }

  async end(): Promise<void> {
    const { users } = await this.system.store();
    for (const { identity, aor } of this.#world?.grants ?? [])
      await users.grants.remove(readAor(aor), readAor(identity));
    for (const { aor } of this.#world?.aliases ?? []) await this.#alias(readAor(aor), []);
    for (const phone of this.#phones.values()) phone.close();
    this.#phones.clear();
  }
}
