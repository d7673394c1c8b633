import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import type { NameAddr, Params, SipRequest } from '@rollcall/sip';
import { canonicalAor } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import type { SubscriptionId } from './model.ts';
import { chooseType } from './accept.ts';
import type { EventPackage } from './packages/package.ts';
import { MULTIPART_RELATED, RLMI } from './lists/list-view.ts';
import type { ListEntry } from './lists/model.ts';
import { readRecipients, RECIPIENT_LIST, RESOURCE_LISTS } from './lists/read-recipients.ts';
import type { PackageRegistry } from './packages/registry.ts';
import { keyedNames } from './keyed-name.ts';
import { refusal } from './refusals.ts';
import type { Refusal } from './refusals.ts';

/** What a SUBSCRIBE asks for, read and checked as far as that needs no state. */
export interface SubscribeIntent {
  /** The To-tag of a request inside a dialog; undefined: a new subscription is wanted. */
  readonly dialog: string | undefined;
  /** From the Request-URI (RFC 6665 §4.1.2.1); inside a dialog that is our Contact and names no resource. */
  readonly resource: Aor | undefined;
  readonly package: EventPackage;
  readonly eventId: string;
  /** Media type that both sides know. */
  readonly accept: string;
  /** Authenticated identity, asserted by the edge (RFC 3325). */
  readonly watcher: Aor;
  readonly callId: string;
  readonly remoteTag: string;
  readonly remoteUri: string;
  readonly localUri: string;
  readonly cseq: number;
  readonly remoteTarget: string;
  /** Record-Route values, top first. */
  readonly route: readonly string[];
  /** Undefined: the package's default. Seconds. */
  readonly expires: number | undefined;
  /** The Event's `max-rate`: NOTIFYs in a second at most (RFC 6446 §5.1). */
  readonly maxRate: number | undefined;
  /** Suppress-If-Match: an entity-tag or `*` (RFC 5839 §7.2). */
  readonly ifMatch: string | undefined;
  /** `Supported: eventlist`, and the types of lists are accepted (RFC 4662 §4.1, §4.3). */
  readonly takesLists: boolean;
  /** The entries of a list that came with the request (RFC 5367); undefined: none came. */
  readonly entries: readonly ListEntry[] | undefined;
}

export interface ReadOptions {
  readonly packages: PackageRegistry;
  readonly domainAliases?: ReadonlyMap<string, string>;
}

const malformed: Refusal = refusal('malformed');

/** Reads a SUBSCRIBE in the order of RFC 3261 §8.2 and RFC 6665 §4.2.1.1, or says why it is refused. */
export function readSubscribe(request: SipRequest, options: ReadOptions): Result<SubscribeIntent, Refusal> {
  const extensions = checkRequire(request, UNDERSTOOD);
  if (extensions !== undefined) return err(extensions);
  const event = readEvent(request, options.packages);
  if (!event.ok) return event;
  const watcher = readIdentity(request, options);
  if (!watcher.ok) return watcher;
  const dialog = readDialog(request);
  if (!dialog.ok) return dialog;
  const resource = dialog.value.tag === undefined ? readResource(request, options) : ok(undefined);
  if (!resource.ok) return resource;
  const accept = readAccept(request, event.value.package);
  if (!accept.ok) return accept;
  const target = readTarget(request);
  if (!target.ok) return target;
  const expires = request.expires();
  if (!expires.ok) return err(malformed);
  const ifMatch = readCondition(request);
  if (!ifMatch.ok) return ifMatch;
  const entries = readRecipients(request, options.domainAliases);
  if (!entries.ok) return entries;
  // RFC 5367 §5.1: a list means nothing in a refresh.
  if (entries.value !== undefined && dialog.value.tag !== undefined)
    return err(refusal('unsupported-body', `Accept: ${RESOURCE_LISTS}\r\n`));
  const { tag, from, to, callId, cseq } = dialog.value;
  const { contact, route } = target.value;
  const texts = ownTexts([
    tag ?? '',
    callId,
    from.tag ?? '',
    from.uriText,
    to.uriText,
    contact,
    event.value.id,
    watcher.value,
    ...route,
  ]);
  if (texts === undefined) return err(malformed);
  const text = (n: number): string => texts[n] ?? '';
  return ok({
    dialog: tag === undefined ? undefined : text(0),
    resource: resource.value,
    package: event.value.package,
    eventId: text(6),
    accept: accept.value,
    watcher: text(7) as Aor,
    callId: text(1),
    remoteTag: text(2),
    remoteUri: text(3),
    localUri: text(4),
    cseq,
    remoteTarget: text(5),
    route: texts.slice(8),
    expires: expires.value,
    maxRate: readMaxRate(event.value.params.get('max-rate')),
    ifMatch: ifMatch.value,
    takesLists: takesLists(request),
    entries: entries.value,
  });
}

/** RFC 4662 §4.1, RFC 5367 §9.2: extensions that a SUBSCRIBE may require. */
const UNDERSTOOD: ReadonlySet<string> = new Set(['eventlist', RECIPIENT_LIST]);
const NOTHING: ReadonlySet<string> = new Set();

/** RFC 3261 §8.2.2.3: refuses what a Require asks of us and is not understood. */
export function checkRequire(
  request: SipRequest,
  understood: ReadonlySet<string> = NOTHING,
): Refusal | undefined {
  const foreign = request.options('require').filter((option) => !understood.has(option));
  return foreign.length === 0
    ? undefined
    : refusal('bad-extension', `Unsupported: ${foreign.join(', ')}\r\n`);
}

/** RFC 6446 §9.2: one or two digits, and up to ten after the point; zero is no rate. Anything else asks for none. */
const RATE = /^[0-9]{1,2}(?:\.[0-9]{1,10})?$/;

/** `max-rate` of an Event header: NOTIFYs in a second; undefined when it asks for no limit. */
export function readMaxRate(text: string | undefined): number | undefined {
  const rate = text !== undefined && RATE.test(text) ? Number(text) : 0;
  return rate > 0 ? rate : undefined;
}

const ENTITY_TAG = /^[A-Za-z0-9.!%*_+`'~-]{1,512}$/;

/** RFC 5839 §7.2: one entity-tag, or `*`. */
function readCondition(request: SipRequest): Result<string | undefined, Refusal> {
  const values = request.headers('suppress-if-match');
  const [tag, second] = values;
  if (second !== undefined || (tag !== undefined && !ENTITY_TAG.test(tag))) return err(malformed);
  return ok(tag);
}

/** RFC 4662 §4.1: the option tag says it; an Accept that leaves the types of lists out takes it back. */
function takesLists(request: SipRequest): boolean {
  const named =
    request.options('supported').includes('eventlist') || request.options('require').includes('eventlist');
  if (!named || !request.has('accept')) return named;
  const accept = request.accept();
  return (
    accept.ok && [RLMI, MULTIPART_RELATED].every((type) => chooseType(accept.value, [type]) !== undefined)
  );
}

/** The package that the Event header names. */
export function readEvent(
  request: SipRequest,
  packages: PackageRegistry,
): Result<{ package: EventPackage; id: string; params: Params }, Refusal> {
  const event = request.event();
  if (!event.ok) return err(malformed);
  // RFC 6665 §4.2.3: without Event it would be PINT, which we are not.
  const found = event.value === undefined ? undefined : packages.find(event.value.package);
  if (event.value === undefined || found === undefined)
    return err(refusal('bad-event', `Allow-Events: ${packages.allowEvents}\r\n`));
  return ok({ package: found, id: event.value.id ?? '', params: event.value.params });
}

/** RFC 3325: the edge has authenticated the sender and says who it is. */
export function readIdentity(
  request: SipRequest,
  options: { readonly domainAliases?: ReadonlyMap<string, string> },
): Result<Aor, Refusal> {
  const identities = request.assertedIdentities();
  if (!identities.ok) return err(malformed);
  const first = identities.value[0];
  if (first === undefined) return err(refusal('no-identity'));
  const aor = canonicalAor(first.uri, aliases(options));
  return aor.ok ? aor : err(refusal('no-identity'));
}

/** The resource that the Request-URI names. */
export function readResource(
  request: SipRequest,
  options: { readonly domainAliases?: ReadonlyMap<string, string> },
): Result<Aor, Refusal> {
  const uri = request.uri();
  if (!uri.ok) return err(malformed);
  const aor = canonicalAor(uri.value, aliases(options));
  return aor.ok ? aor : err(refusal('no-such-resource'));
}

const aliases = ({ domainAliases }: { readonly domainAliases?: ReadonlyMap<string, string> }) =>
  domainAliases === undefined ? {} : { domainAliases };

interface DialogParts {
  readonly tag: string | undefined;
  readonly from: NameAddr;
  readonly to: NameAddr;
  readonly callId: string;
  readonly cseq: number;
}

function readDialog(request: SipRequest): Result<DialogParts, Refusal> {
  const from = request.from();
  const to = request.to();
  const callId = request.callId();
  const cseq = request.cseq();
  if (!from.ok || !to.ok || !callId.ok || !cseq.ok) return err(malformed);
  return ok({
    tag: to.value.tag,
    from: from.value,
    to: to.value,
    callId: callId.value,
    cseq: cseq.value.seq,
  });
}

function readAccept(request: SipRequest, wanted: EventPackage): Result<string, Refusal> {
  const accept = request.has('accept') ? request.accept() : ok(undefined);
  if (!accept.ok) return err(malformed);
  const type = chooseType(accept.value, wanted.types);
  return type === undefined
    ? err(refusal('not-acceptable', `Accept: ${wanted.types.join(', ')}\r\n`))
    : ok(type);
}

/** The subscriber's Contact, exactly one (RFC 3261 §12.1.1), and the way there. `expires` on it means nothing here. */
function readTarget(request: SipRequest): Result<{ contact: string; route: readonly string[] }, Refusal> {
  const contacts = request.contacts();
  const routes = request.recordRoutes();
  if (!contacts.ok || !routes.ok) return err(malformed);
  // `*` is for REGISTER alone (§10.2.2).
  if (contacts.value.kind === 'wildcard') return err(refusal('contact-no-target'));
  const [contact, second] = contacts.value.kind === 'list' ? contacts.value.contacts : [];
  if (contact === undefined) return err(refusal('no-contact'));
  if (second !== undefined) return err(refusal('many-contacts'));
  return ok({ contact: contact.uriText, route: routes.value.map((route) => route.text) });
}

const REFUSED_IN_TEXTS = /[\r\u0000]/;

/**
 * The same texts as texts of their own, since they are kept: slices would keep the message alive, and all that was received with it.
 * Undefined when one holds a line break: records are lines of text; no parser lets one through, and this makes it certain.
 */
function ownTexts(texts: readonly string[]): readonly string[] | undefined {
  const joined = Buffer.from(texts.join('\n'), 'latin1').toString('latin1');
  const own = joined.split('\n');
  return own.length !== texts.length || REFUSED_IN_TEXTS.test(joined) ? undefined : own;
}

const KEY_LABEL = 'rollcall subscription id 1';

/**
 * Makes the ids of new subscriptions: the shard of the resource and a keyed hash of the dialog. The same SUBSCRIBE given to
 * another replica after the first one died has the same id, so that it is one subscription; nobody outside can guess it.
 */
export class SubscriptionIds {
  readonly #name: (text: string) => string;

  /** `secret` is shared by all replicas. */
  constructor(secret: string) {
    this.#name = keyedNames(secret, KEY_LABEL);
  }

  idOf(intent: SubscribeIntent, shard: number): SubscriptionId {
    const dialog = `${intent.callId}\n${intent.remoteTag}\n${intent.resource ?? ''}\n${intent.package.name}\n${intent.eventId}`;
    return `${shard}.${this.#name(dialog)}` as SubscriptionId;
  }
}

const ID_FORM = /^(0|[1-9][0-9]{0,3})\.[A-Za-z0-9_-]{16}$/;

/** A To-tag as one of our ids; undefined when we never made it. */
export function parseSubscriptionId(tag: string, shards: number): SubscriptionId | undefined {
  const shard = ID_FORM.exec(tag)?.[1];
  return shard !== undefined && Number(shard) < shards ? (tag as SubscriptionId) : undefined;
}

/** The shard in an id. */
export const shardOfId = (id: SubscriptionId): number => Number(id.slice(0, id.indexOf('.')));
