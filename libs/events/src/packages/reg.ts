import { withoutPush } from '@rollcall/location';
import type { Binding, ChangeKind, Gruus } from '@rollcall/location';
import type { EpochMs } from '@rollcall/kernel';
import { fingerprintOf } from '../fingerprint.ts';
import type { ResourceChange, ResourceState } from '../model.ts';
import { XML_DECLARATION, escapeXml } from '../xml/write.ts';
import { splitParams } from './contact-params.ts';
import type { DocumentRequest, EventPackage, News, StateView } from './package.ts';

/** RFC 3680 §4.4: a little longer than the default registration, so that the two refreshes do not couple. */
const DEFAULT_EXPIRES = 3761;

/** RFC 3680 §3.6, figure 2: events that leave the contact active. */
const ACTIVE: ReadonlySet<ChangeKind> = new Set<ChangeKind>(['registered', 'refreshed', 'shortened']);

/** RFC 3680: the bindings of an address-of-record and what happens to them; with `gruus` also their GRUUs (RFC 5628). */
export const regOf = (gruus?: Gruus): EventPackage => ({
  name: 'reg',
  rfc: 'RFC 3680',
  types: ['application/reginfo+xml'],
  defaultExpires: DEFAULT_EXPIRES,
  sources: ['location'],
  unmovedBy: new Set(),
  tellsChanges: true,
  // §4.6: registration state is sensitive; users may watch their own.
  audience: 'owner',
  view: (state, now) => new RegistrationView(state, now, gruus),
});

/** Without GRUUs. */
export const reg = regOf();

class RegistrationView implements StateView {
  readonly fingerprint: string;
  readonly #state: ResourceState;
  readonly #now: EpochMs;
  readonly #gruus: Gruus | undefined;
  readonly #version: number;
  readonly #bindings: readonly Binding[];

  constructor(state: ResourceState, now: EpochMs, gruus: Gruus | undefined) {
    this.#state = state;
    this.#gruus = gruus;
    this.#now = now;
    this.#version = state.location?.version ?? 0;
    this.#bindings = (state.location?.bindings ?? []).filter((binding) => binding.expiresAt > now);
    this.fingerprint = printTold({ version: this.#version, contacts: this.#bindings.length });
  }

  write({ version, news }: DocumentRequest): string {
    const last = new Map<string, ResourceChange>();
    for (const change of news?.changes ?? []) last.set(change.bindingId, change);
    const partial = news !== undefined && last.size > 0 && this.#leavesNoGap(news, last);
    const contacts = this.#contacts(last, partial);
    const { resource } = this.#state;
    return (
      `${XML_DECLARATION}<reginfo xmlns="urn:ietf:params:xml:ns:reginfo"${contacts.includes('<gr:') ? GRUU_INFO : ''} version="${version}" state="${partial ? 'partial' : 'full'}">\r\n` +
      `<registration aor="${escapeXml(resource)}" id="${fingerprintOf(resource)}" state="${this.#registrationState(last)}">\r\n` +
      `${contacts}</registration>\r\n</reginfo>\r\n`
    );
  }

  /** §4.7.1: from terminated back to init is never told; nobody registered and nothing happened is `init`. */
  #registrationState(last: ReadonlyMap<string, ResourceChange>): string {
    if (this.#bindings.length > 0) return 'active';
    return last.size > 0 ? 'terminated' : 'init';
  }

  /**
   * True when the changes are all that lies between what was told and what there is: versions count commits, and where a
   * record began or ended, the changes name every contact that came or went. Anything else is told in full.
   */
  #leavesNoGap({ after, commits }: News, last: ReadonlyMap<string, ResourceChange>): boolean {
    const told = readTold(after);
    if (told === undefined) return false;
    if (told.version === 0) return this.#bindings.every((binding) => last.has(binding.id));
    if (this.#version === 0) return told.contacts === [...last.values()].filter(hasEnded).length;
    return this.#version === told.version + commits;
  }

  /** Contacts that are there, all or those that changed, and those that have gone (the example of §5.3 lists one in full state). */
  #contacts(last: ReadonlyMap<string, ResourceChange>, onlyChanged: boolean): string {
    let contacts = '';
    for (const binding of this.#bindings) {
      const change = last.get(binding.id);
      if (change === undefined && onlyChanged) continue;
      const told = change !== undefined && !hasEnded(change) ? change.kind : undefined;
      contacts += this.#active(
        binding,
        told ?? (binding.refreshedAt > binding.registeredAt ? 'refreshed' : 'registered'),
      );
    }
    for (const change of last.values()) {
      // A contact that ended and is there again is told by its binding.
      if (hasEnded(change) && !this.#bindings.some(({ id }) => id === change.bindingId))
        contacts += terminated(change);
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
      `${uriOf(binding.contact)}${unknownParams(binding.params)}${this.#gruusOf(binding)}</contact>\r\n`
    );
  }

  /** RFC 5628 §5: the temporary one too, since who may watch this package may register. */
  #gruusOf({ instance, gruu }: Binding): string {
    const { resource } = this.#state;
    if (this.#gruus === undefined || instance === undefined || gruu === undefined) return '';
    if (!resource.startsWith('sip:')) return '';
    const pub = escapeXml(this.#gruus.pub(resource, instance));
    const temp = escapeXml(this.#gruus.temp(resource, instance, gruu.since));
    return `<gr:pub-gruu uri="${pub}"/><gr:temp-gruu uri="${temp}" first-cseq="${gruu.firstCseq}"/>`;
  }
}

/** RFC 5628 §9 */
const GRUU_INFO = ' xmlns:gr="urn:ietf:params:xml:ns:gruuinfo"';

const hasEnded = ({ kind }: ResourceChange): boolean => !ACTIVE.has(kind);

/** What a subscriber was told: version of the record and number of contacts. */
interface Told {
  readonly version: number;
  readonly contacts: number;
}

const printTold = ({ version, contacts }: Told): string => `${version}.${contacts}`;

function readTold(text: string): Told | undefined {
  const [version, contacts] = text.split('.').map(Number);
  return version === undefined || contacts === undefined ? undefined : { version, contacts };
}

function terminated(change: ResourceChange): string {
  return (
    `<contact id="${escapeXml(change.bindingId)}" state="terminated" event="${change.kind}">` +
    `${uriOf(change.contact)}</contact>\r\n`
  );
}

/** RFC 8599 §13: what wakes a device is not told, since a third party that may register may watch as well. */
const uriOf = (contact: string): string => `<uri>${escapeXml(withoutPush(contact))}</uri>`;

/** §5.1: Contact parameters that RFC 3261 does not define. */
function unknownParams(params: string): string {
  let xml = '';
  for (const { name, value } of splitParams(params)) {
    xml += `<unknown-param name="${escapeXml(name)}">${escapeXml(value)}</unknown-param>`;
  }
  return xml;
}
