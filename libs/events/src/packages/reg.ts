import type { Binding, ChangeKind } from '@rollcall/location';
import type { EpochMs } from '@rollcall/kernel';
import { fingerprintOf } from '../fingerprint.ts';
import type { ResourceChange, ResourceState } from '../model.ts';
import { XML_DECLARATION, escapeXml } from '../xml/write.ts';
import { splitParams } from './contact-params.ts';
import type { EventPackage, StateView } from './package.ts';

/** RFC 3680 §4.4: a little longer than the default registration, so that the two refreshes do not couple. */
const DEFAULT_EXPIRES = 3761;

/** RFC 3680 §3.6, figure 2: events that leave the contact active. */
const ACTIVE: ReadonlySet<ChangeKind> = new Set<ChangeKind>(['registered', 'refreshed', 'shortened']);

/** RFC 3680: the bindings of an address-of-record and what happens to them. */
export const reg: EventPackage = {
  name: 'reg',
  rfc: 'RFC 3680',
  types: ['application/reginfo+xml'],
  defaultExpires: DEFAULT_EXPIRES,
  sources: ['location'],
  unmovedBy: new Set(),
  // §4.6: registration state is sensitive; users may watch their own.
  audience: 'owner',
  view: (state, now) => new RegistrationView(state, now),
};

class RegistrationView implements StateView {
  readonly fingerprint: string;
  readonly #state: ResourceState;
  readonly #now: EpochMs;
  readonly #bindings: readonly Binding[];

  constructor(state: ResourceState, now: EpochMs) {
    this.#state = state;
    this.#now = now;
    this.#bindings = (state.location?.bindings ?? []).filter((binding) => binding.expiresAt > now);
    this.fingerprint = fingerprintOf(
      this.#bindings.map((b) => `${b.id} ${b.callId} ${b.cseq} ${b.expiresAt}`).join('\n'),
    );
  }

  write({ version, changes }: { version: number; changes?: readonly ResourceChange[] | undefined }): string {
    const partial = changes === undefined ? '' : this.#changed(changes);
    // A partial document that would say nothing gives way to the full one.
    const kind = partial === '' ? 'full' : 'partial';
    const contacts = kind === 'full' ? this.#all() : partial;
    const { resource } = this.#state;
    return (
      `${XML_DECLARATION}<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="${version}" state="${kind}">\r\n` +
      `<registration aor="${escapeXml(resource)}" id="${fingerprintOf(resource)}" state="${this.#registrationState(kind)}">\r\n` +
      `${contacts}</registration>\r\n</reginfo>\r\n`
    );
  }

  /** §4.7.1: the way from terminated back to init is never told, so only a partial document ends in `terminated`. */
  #registrationState(kind: 'full' | 'partial'): string {
    if (this.#bindings.length > 0) return 'active';
    return kind === 'full' ? 'init' : 'terminated';
  }

  #all(): string {
    let contacts = '';
    for (const binding of this.#bindings) {
      contacts += this.#active(
        binding,
        binding.refreshedAt > binding.registeredAt ? 'refreshed' : 'registered',
      );
    }
    return contacts;
  }

  /** The last change of each contact, read against what there is now: a later one may already have happened. */
  #changed(changes: readonly ResourceChange[]): string {
    const last = new Map<string, ResourceChange>();
    for (const change of changes) last.set(change.bindingId, change);
    let contacts = '';
    for (const change of last.values()) {
      const binding = this.#bindings.find((b) => b.id === change.bindingId);
      const toActive = ACTIVE.has(change.kind);
      if (binding !== undefined) contacts += this.#active(binding, toActive ? change.kind : 'registered');
      else if (!toActive) contacts += terminated(change);
    }
    return contacts;
  }

  #active(binding: Binding, event: ChangeKind): string {
    const q = binding.q === undefined ? '' : ` q="${(binding.q / 1000).toString()}"`;
    const duration = Math.max(0, Math.floor((this.#now - binding.registeredAt) / 1000));
    const expires = Math.max(0, Math.round((binding.expiresAt - this.#now) / 1000));
    return (
      `<contact id="${escapeXml(binding.id)}" state="active" event="${event}" duration-registered="${duration}"` +
      ` expires="${expires}"${q} callid="${escapeXml(binding.callId)}" cseq="${binding.cseq}">` +
      `<uri>${escapeXml(binding.contact)}</uri>${unknownParams(binding.params)}</contact>\r\n`
    );
  }
}

function terminated(change: ResourceChange): string {
  return (
    `<contact id="${escapeXml(change.bindingId)}" state="terminated" event="${change.kind}">` +
    `<uri>${escapeXml(change.contact)}</uri></contact>\r\n`
  );
}

/** §5.1: Contact parameters that RFC 3261 does not define. */
function unknownParams(params: string): string {
  let xml = '';
  for (const { name, value } of splitParams(params)) {
    xml += `<unknown-param name="${escapeXml(name)}">${escapeXml(value)}</unknown-param>`;
  }
  return xml;
}
