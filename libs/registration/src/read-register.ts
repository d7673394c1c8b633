import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import { aorDomain, canonicalAor } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import type { Contact, Contacts, NameAddr, ParseProblem, SipRequest, Uri } from '@rollcall/sip';
import { readSource } from './read-source.ts';
import { refuse } from './refusals.ts';
import type { Refusal, RefusalLabel } from './refusals.ts';

/** Option tags that may stand in a Require (RFC 3327, 5626, 5627, 3840 §6). */
const KNOWN_OPTIONS: ReadonlySet<string> = new Set(['path', 'outbound', 'gruu', 'pref']);

/** One Contact of a REGISTER, read. */
export interface ContactIntent {
  readonly uri: Uri;
  /** The URI as received. */
  readonly contact: string;
  /** Header parameters as received, without `q` and `expires`. */
  readonly params: string;
  /** In thousandths. */
  readonly q: number | undefined;
  /** `+sip.instance` without its quotes (RFC 5626 §4.1). */
  readonly instance: string | undefined;
  readonly regId: number | undefined;
  /** Seconds asked for by this Contact or else by the Expires header; undefined: the registrar chooses (RFC 3261 §10.2.1.1). */
  readonly expires: number | undefined;
}

export type RegisterAction =
  /** No Contact: the bindings are listed (RFC 3261 §10.2.3). */
  | { readonly kind: 'query' }
  /** `Contact: *`: all bindings go (§10.2.2). */
  | { readonly kind: 'clear' }
  | { readonly kind: 'update'; readonly contacts: readonly ContactIntent[] }
  /** Step 6 or 7 will refuse it; steps 3 and 4 come first. */
  | { readonly kind: 'faulty'; readonly refusal: Refusal };

/** What a REGISTER asks for, apart from whether it may. */
export interface RegisterIntent {
  readonly aor: Aor;
  /** The domain that the Request-URI names, canonical. */
  readonly domain: string;
  readonly action: RegisterAction;
  readonly callId: string;
  readonly cseq: number;
  /** Path values in order, topmost first (RFC 3327 §5.3). */
  readonly path: readonly string[];
  /** The first hop takes part in outbound: the first Path URI has `ob` (RFC 5626 §6). */
  readonly outboundHop: boolean;
  readonly supportsPath: boolean;
  readonly supportsOutbound: boolean;
  /** The device asks for GRUUs (RFC 5627 §4.1). */
  readonly supportsGruu: boolean;
  /** A proxy before us has said that it will push (RFC 8599 §5.6.1.1): then it is not our matter. */
  readonly pushElsewhere: boolean;
  readonly userAgent: string | undefined;
  /** Where the device is, as in `Binding.source`. */
  readonly source: string | undefined;
}

/** The domains that are ours. */
export interface DomainNames {
  /** Canonical name of the domain of which `host` (any case, no port) is a name; undefined when it is not ours. */
  canonical(host: string): string | undefined;
  /** Other names of our domains, lower case. */
  readonly aliases: ReadonlyMap<string, string>;
}

type Read<T> = Result<T, Refusal>;

/**
 * Reads a REGISTER in the order of RFC 3261 §10.3: domain of the Request-URI (step 1), Require (2), address-of-record (5),
 * Contact with Expires (6 and the reading part of 7). Who asks (3 and 4) is `authorizeRegister`'s. Record-Route is not looked at.
 */
export function readRegister(request: SipRequest, domains: DomainNames): Read<RegisterIntent> {
  const domain = readDomain(request, domains);
  if (!domain.ok) return domain;
  const refusal = request.has('require') ? refuseRequire(request) : undefined;
  if (refusal !== undefined) return err(refusal);
  const aor = readAor(request, domain.value, domains);
  if (!aor.ok) return aor;
  const callId = request.callId();
  if (!callId.ok) return malformed(callId.error);
  const cseq = request.cseq();
  if (!cseq.ok) return malformed(cseq.error);
  const paths = request.has('path') ? request.paths() : NO_PATHS;
  if (!paths.ok) return malformed(paths.error);
  const supported = request.has('supported') ? request.options('supported') : NO_OPTIONS;
  return ok({
    aor: aor.value,
    domain: domain.value,
    action: readAction(request),
    callId: callId.value,
    cseq: cseq.value.seq,
    path: paths.value.map(pathText),
    outboundHop: hasOb(paths.value[0]),
    supportsPath: supported.includes('path'),
    supportsOutbound: supported.includes('outbound'),
    supportsGruu: supported.includes('gruu'),
    pushElsewhere: request.has('feature-caps') && request.headers('feature-caps').some(namesPush),
    userAgent: request.header('user-agent')?.slice(0, MAX_USER_AGENT),
    source: readSource(request),
  });
}

const NO_PATHS = ok<readonly NameAddr[]>([]);
const NO_OPTIONS: readonly string[] = [];
/** The User-Agent is kept for people to read; this much of it tells the device. */
const MAX_USER_AGENT = 128;
const namesPush = (caps: string): boolean => /\+sip\.pns\s*=/i.test(caps);
const pathText = (path: NameAddr): string => path.text;

function malformed(problem: ParseProblem): { readonly ok: false; readonly error: Refusal } {
  const detail = `${problem.header ?? 'message'}: ${problem.detail}`;
  const label = problem.header === 'contact' ? 'bad-contact' : 'malformed';
  return err(problem.status === 400 ? { label, detail } : { label, detail, status: problem.status });
}

/** RFC 3261 §10.3 step 1. A user part, which §10.2 forbids there, is ignored. */
function readDomain(request: SipRequest, domains: DomainNames): Read<string> {
  const uri = request.uri();
  if (!uri.ok) return malformed(uri.error);
  if (uri.value.kind !== 'sip')
    return err(refuse('uri-scheme', 'the Request-URI of a REGISTER is a SIP URI'));
  const domain = domains.canonical(uri.value.host);
  return domain === undefined ? err(refuse('foreign-domain', `${uri.value.host} is not ours`)) : ok(domain);
}

/** RFC 3261 §8.2.2.3 */
function refuseRequire(request: SipRequest): Refusal | undefined {
  const unknown = request
    .options('require')
    .filter((option) => !KNOWN_OPTIONS.has(option))
    .join(', ');
  return unknown === ''
    ? undefined
    : refuse('bad-extension', `requires ${unknown}`, `Unsupported: ${unknown}\r\n`);
}

/** RFC 3261 §10.3 step 5. */
function readAor(request: SipRequest, domain: string, domains: DomainNames): Read<Aor> {
  const to = request.to();
  if (!to.ok) return malformed(to.error);
  const aor = canonicalAor(to.value.uri, { domainAliases: domains.aliases, telDomain: domain });
  if (!aor.ok) {
    // RFC 4475 §3.3.4: a To of another scheme is 400; one that could be ours and is not is 404.
    const label = aor.error.code === 'no-user' ? 'aor-outside-domain' : 'malformed';
    return err(refuse(label, aor.error.detail));
  }
  if (aorDomain(aor.value) !== domain)
    return err(refuse('aor-outside-domain', `${aor.value} is not in ${domain}`));
  return ok(aor.value);
}

function readAction(request: SipRequest): RegisterAction {
  if (!request.has('contact')) return QUERY;
  const contacts = request.contacts();
  if (!contacts.ok) return { kind: 'faulty', refusal: malformed(contacts.error).error };
  const expires = request.expires();
  if (!expires.ok) return { kind: 'faulty', refusal: malformed(expires.error).error };
  return actionOf(contacts.value, expires.value, request);
}

const QUERY: RegisterAction = { kind: 'query' };
const CLEAR: RegisterAction = { kind: 'clear' };
const faulty = (label: RefusalLabel, detail: string): RegisterAction => ({
  kind: 'faulty',
  refusal: refuse(label, detail),
});

function actionOf(contacts: Contacts, expires: number | undefined, request: SipRequest): RegisterAction {
  switch (contacts.kind) {
    case 'none':
      return QUERY;
    case 'wildcard':
      // RFC 3261 §10.3 step 6: only with an Expires header field of zero.
      return expires === 0 ? CLEAR : faulty('bad-wildcard', 'Contact: * wants Expires: 0');
    case 'list': {
      const intents: ContactIntent[] = [];
      for (const contact of contacts.contacts) intents.push(contactIntent(contact, expires));
      if (!sipsConsistent(request, intents)) {
        return faulty('insecure-path', 'a SIPS Contact beside URIs that are not SIPS');
      }
      return { kind: 'update', contacts: intents };
    }
  }
}

function contactIntent(contact: Contact, header: number | undefined): ContactIntent {
  const expires = contact.expires ?? header;
  const named = contact.paramsText === '' ? undefined : contact.params.get('+sip.instance');
  const instance = named === '' ? undefined : named;
  // RFC 5626 §6: a reg-id without an instance is ignored.
  const regId = instance === undefined ? undefined : readRegId(contact.params.get('reg-id'));
  return {
    uri: contact.uri,
    contact: contact.uriText,
    params: named === undefined ? contact.paramsText : ownParams(contact),
    q: contact.q,
    instance,
    regId,
    expires,
  };
}

/** RFC 5627 §5.1: GRUUs that a device names are ignored; they are ours to give. */
function ownParams({ params, paramsText }: Contact): string {
  return params.has('pub-gruu') || params.has('temp-gruu') ? paramsText.replace(GRUU_PARAM, '') : paramsText;
}

const GRUU_PARAM = /\s*;\s*(?:pub|temp)-gruu\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^;]*))?/gi;

/** RFC 5626 §10: reg-id is 1*DIGIT from 1 to 2^31 - 1; anything else is ignored as unknown. */
function readRegId(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return undefined;
  const regId = Number(text);
  return regId >= 1 && regId < 2 ** 31 ? regId : undefined;
}

/**
 * RFC 5630 §5.2: with one SIPS Contact the Request-URI and every SIP Contact must be SIPS. Path is left out of it: its values
 * are our own edge's, which knows on which transport the request came.
 */
function sipsConsistent(request: SipRequest, contacts: readonly ContactIntent[]): boolean {
  if (!contacts.some(({ uri }) => uri.kind === 'sip' && uri.secure)) return true;
  const uri = request.uri();
  const secure = uri.ok && uri.value.kind === 'sip' && uri.value.secure;
  return secure && contacts.every((contact) => contact.uri.kind !== 'sip' || contact.uri.secure);
}

function hasOb(path: NameAddr | undefined): boolean {
  if (path?.uri.kind !== 'sip') return false;
  // As our edges write it; anything else is looked up.
  return path.uriText.endsWith(';lr;ob') || path.uri.params.has('ob');
}
