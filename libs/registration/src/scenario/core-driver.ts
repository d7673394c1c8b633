import { epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import { DEFAULT_POLICY, effectivePolicy, Gruus, MemoryLocation, parseAor } from '@rollcall/location';
import type { Aor, BindingId, Policy } from '@rollcall/location';
import { parseMessage } from '@rollcall/sip';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import { assertedIdentities, grantedIdentity } from '../authorize.ts';
import { decideRegister } from '../decide-register.ts';
import { liveBindings } from '../liveness.ts';
import { readRegister } from '../read-register.ts';
import type { DomainNames, RegisterIntent } from '../read-register.ts';
import { refusalRow, refuse, REGISTER_REFUSALS } from '../refusals.ts';
import type { Refusal, RefusalLabel } from '../refusals.ts';
import { remaining, renderAccepted, renderRefusal } from '../render-reply.ts';
import type { ScenarioAnswer, ScenarioDriver } from './run.ts';
import type { RegisterFields, ScenarioBinding, ScenarioWorld } from './scenario.ts';
import { EDGE_PATH, writeRegister } from './write-register.ts';

const START = epochMs(1_700_000_000_000);
const MS_PER_SECOND = 1000;
const RETRY_AFTER = 1;
const VIA = 'SIP/2.0/TCP 192.0.2.250:5080;branch=z9hG4bK-scenario';
const DEFAULT_INTERVAL = 3600;
const GRUUS = new Gruus('the secret of the scenarios');

/** Plays scenarios on the pure core: read, authorize, decide, commit to memory, render; the clock is turned by hand. */
export class CoreDriver implements ScenarioDriver {
  #now: EpochMs = START;
  #location = new MemoryLocation({ now: () => this.#now });
  #world: ScenarioWorld = { domains: [], users: [], grants: [], aliases: [], policy: {} };
  #policy: Policy = DEFAULT_POLICY;

  begin(world: ScenarioWorld): Promise<string | undefined> {
    this.#now = START;
    this.#location = new MemoryLocation({ now: () => this.#now });
    this.#world = world;
    this.#policy = effectivePolicy(DEFAULT_POLICY, world.policy);
    return Promise.resolve(undefined);
  }

  async given(aor: string, { contact, expires, callId, cseq }: ScenarioBinding): Promise<void> {
    const key = readAor(aor);
    const { version, bindings } = await this.#location.read(key);
    const binding = {
      id: `given-${bindings.length.toString()}` as BindingId,
      contact,
      params: '',
      callId: callId ?? `given-${bindings.length.toString()}`,
      cseq: cseq ?? 1,
      path: [],
      registeredAt: this.#now,
      refreshedAt: this.#now,
      expiresAt: epochMs(this.#now + (expires ?? DEFAULT_INTERVAL) * MS_PER_SECOND),
    };
    await this.#location.commit({
      aor: key,
      expectedVersion: version,
      bindings: [...bindings, binding],
      changes: [],
    });
  }

  at(atSeconds: number): Promise<void> {
    this.#now = epochMs(START + atSeconds * MS_PER_SECOND);
    return Promise.resolve();
  }

  async register(fields: RegisterFields): Promise<ScenarioAnswer> {
    const identity = fields.identity === undefined ? '' : `P-Asserted-Identity: <${fields.identity}>\r\n`;
    const path = fields.throughEdge ? `Path: ${EDGE_PATH}\r\n` : '';
    const parsed = parseMessage(writeRegister(fields, VIA, path + identity));
    if (!parsed.ok) throw new Error(`the scenario's REGISTER does not parse: ${parsed.error.detail}`);
    if (parsed.value.kind !== 'request') throw new Error('the scenario sends a response');
    const request = parsed.value;
    const { text, refusal } = await this.#answer(request);
    const answer = parseMessage(text);
    if (!answer.ok || answer.value.kind !== 'response')
      throw new Error(`our own answer does not parse: ${text}`);
    return scenarioAnswer(answer.value, refusal);
  }

  statusOf(refusal: string): number | undefined {
    return Object.hasOwn(REGISTER_REFUSALS, refusal) ? refusalRow(refusal as RefusalLabel).status : undefined;
  }

  async bindings(aor: string): Promise<readonly ScenarioBinding[]> {
    const { bindings } = await this.#location.read(readAor(aor));
    return liveBindings(bindings, this.#now).map((binding) => ({
      contact: binding.contact,
      expires: remaining(binding, this.#now),
      callId: binding.callId,
      cseq: binding.cseq,
    }));
  }

  end(): Promise<void> {
    return Promise.resolve();
  }

  async #answer(request: SipRequest): Promise<{ text: string; refusal?: RefusalLabel }> {
    const no = (refusal: Refusal): { text: string; refusal: RefusalLabel } => ({
      text: renderRefusal(request, refusal, RETRY_AFTER),
      refusal: refusal.label,
    });
    const read = readRegister(request, domainNames(this.#world.domains));
    if (!read.ok) return no(read.error);
    const intent = { ...read.value, aor: this.#primary(read.value.aor) };
    const forbidden = this.#authorize(request, intent);
    if (forbidden !== undefined) return no(forbidden);
    const { aor } = intent;
    const snapshot = await this.#location.read(aor);
    const decision = decideRegister(intent, snapshot, this.#policy, this.#now);
    if (decision.kind === 'refused') return no(decision.refusal);
    if (decision.kind === 'changed') {
      const { bindings, changes } = decision;
      await this.#location.commit({ aor, expectedVersion: snapshot.version, bindings, changes });
    }
    const policy = this.#policy;
    const gruus = policy.gruu && intent.supportsGruu ? GRUUS : undefined;
    return {
      text: renderAccepted(request, decision, this.#now, { aor, policy, gruus, source: intent.source }),
    };
  }

  #primary(aor: Aor): Aor {
    const named = this.#world.aliases.find(({ alias }) => readAor(alias) === aor);
    return named === undefined ? aor : readAor(named.aor);
  }

  #authorize(request: SipRequest, intent: RegisterIntent): Refusal | undefined {
    const identities = assertedIdentities(request, intent.domain, { aliases: new Map() });
    if (identities.length === 0) return refuse('no-identity', 'nobody is asserted');
    if (identities.includes(intent.aor)) return undefined;
    if (!this.#world.users.some((user) => readAor(user) === intent.aor)) {
      return refuse('unknown-aor', `${intent.aor} does not exist`);
    }
    const grants = this.#policy.thirdParty ? this.#world.grants : [];
    const granted = grants
      .filter((grant) => readAor(grant.aor) === intent.aor)
      .map((grant) => readAor(grant.identity));
    return grantedIdentity(identities, granted) === undefined
      ? refuse('not-allowed', `${identities.join(', ')} may not register ${intent.aor}`)
      : undefined;
  }
}

function readAor(text: string): Aor {
  const aor = parseAor(text);
  if (!aor.ok) throw new Error(`the scenario names no AoR: ${text}: ${aor.error.detail}`);
  return aor.value;
}

function domainNames(names: readonly string[]): DomainNames {
  return {
    canonical: (host) => (names.includes(host.toLowerCase()) ? host.toLowerCase() : undefined),
    aliases: new Map(),
  };
}

/** The answer as the comparison wants it: list headers split into their members. */
export function scenarioAnswer(response: SipResponse, refusal?: string): ScenarioAnswer {
  return {
    status: response.status,
    ...(refusal === undefined ? {} : { refusal }),
    header(name) {
      if (name !== 'contact') return response.headers(name);
      const contacts = response.contacts();
      if (!contacts.ok || contacts.value.kind !== 'list') return [];
      return contacts.value.contacts.map(
        (contact) =>
          `<${contact.uriText}>${contact.paramsText}` +
          (contact.q === undefined ? '' : `;q=${(contact.q / 1000).toString()}`) +
          (contact.expires === undefined ? '' : `;expires=${contact.expires.toString()}`),
      );
    },
  };
}
