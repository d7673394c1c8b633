/** What requests and responses have in common: header fields by name, and the typed ones, read when asked for. */
import { STAR } from '../grammar/chars.ts';
import { load } from '../grammar/octets.ts';
import type { DigestCredentials } from '../headers/credentials.ts';
import {
  MALFORMED_EXPIRES,
  MAX_DELTA_SECONDS,
  scanNameAddr,
  scannedNameAddrEnd,
  scannedTag,
} from '../headers/name-addr.ts';
import type { Contact, NameAddr } from '../headers/name-addr.ts';
import { HEADERS } from '../headers/registry.ts';
import { isCSeq, isCallId, isNumber, readOptionTags } from '../headers/simple.ts';
import type { CSeq, EventHeader, MediaRange } from '../headers/simple.ts';
import type { Via } from '../headers/via.ts';
import { flaw, good } from '../problem.ts';
import { scannedUriKind } from '../uri/uri.ts';
import type { Read } from '../problem.ts';
import { HeaderFields, ID, NOTHING } from './header-fields.ts';
import type { Parsed } from './header-fields.ts';
import { LIMITS } from './limits.ts';

/** All the Contact header fields of a message together (RFC 3261 §20.10). */
export type Contacts =
  | { readonly kind: 'none' }
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'list'; readonly contacts: readonly Contact[] };

export type OptionHeader = 'require' | 'supported' | 'proxy-require' | 'unsupported';

/** RFC 4475 §3.1.2.4: a Max-Forwards above this may be processed as if it were absent. */
const MAX_MAX_FORWARDS = 255;

/** What is known of the To without having made it. */
const TO_SOUND = 1;
const TO_TAGGED = 2;
const TO_SIP = 4;
const TO_BROKEN = 8;

/** Base of `SipRequest` and `SipResponse`. */
export abstract class SipMessage extends HeaderFields {
  abstract readonly kind: 'request' | 'response';
  private viaMemo: Read<Via> | undefined = undefined;
  private fromMemo: Read<NameAddr> | undefined = undefined;
  private toMemo: Read<NameAddr> | undefined = undefined;
  private callIdMemo: Read<string> | undefined = undefined;
  private cseqMemo: Read<CSeq> | undefined = undefined;
  private toFacts = 0;
  private contactsMemo: Parsed<Contacts> | undefined = undefined;
  private lengthMemo: Parsed<number | undefined> | undefined = undefined;
  private maxForwardsMemo: Parsed<number | undefined> | undefined = undefined;
  private authorizationMemo: Parsed<readonly DigestCredentials[]> | undefined = undefined;

  /** Offset of the body. */
  get bodyStart(): number {
    return this.index.headEnd + 2;
  }

  /** The body, cut to its Content-Length (RFC 3261 §18.3); all that follows the head when there is none. */
  get body(): string {
    const length = this.contentLength();
    const end = length.ok && length.value !== undefined ? this.bodyStart + length.value : this.raw.length;
    return this.raw.slice(this.bodyStart, end);
  }

  /**
   * True when `from`, `to`, `callId`, `cseq` and `maxForwards` read well, which is found out without making what they
   * would return. False says nothing.
   */
  areFieldsSound(): boolean {
    const { index, raw } = this;
    load(raw);
    return (
      this.isAddressSound(index.find(ID.from)) &&
      (this.factsOfTo() & TO_SOUND) !== 0 &&
      this.isLineSound(index.find(ID.callId), isCallId) &&
      this.isLineSound(index.find(ID.cseq), isCSeq) &&
      (index.find(ID.maxForwards) < 0 || this.isLineSound(index.find(ID.maxForwards), isNumber))
    );
  }

  /** True when the To reads well and has no tag. */
  isToUntagged(): boolean {
    return (this.factsOfTo() & (TO_SOUND | TO_TAGGED)) === TO_SOUND;
  }

  /** True when the To is a sip: or sips: URI. */
  isToSip(): boolean {
    return (this.factsOfTo() & TO_SIP) !== 0;
  }

  private factsOfTo(): number {
    if (this.toFacts === 0) this.toFacts = this.lookAtTo();
    return this.toFacts;
  }

  private lookAtTo(): number {
    load(this.raw);
    let tagged: boolean;
    let kind: string;
    if (this.isAddressSound(this.index.find(ID.to))) {
      tagged = scannedTag();
      kind = scannedUriKind();
    } else {
      const to = this.to();
      if (!to.ok) return TO_BROKEN;
      tagged = to.value.tag !== undefined;
      kind = to.value.uri.kind;
    }
    return TO_SOUND | (tagged ? TO_TAGGED : 0) | (kind === 'sip' ? TO_SIP : 0);
  }

  private isAddressSound(line: number): boolean {
    const { index } = this;
    if (line < 0 || index.folded(line)) return false;
    const end = index.valueEnd(line);
    return scanNameAddr(index.valueStart(line), end) === undefined && scannedNameAddrEnd() === end;
  }

  private isLineSound(line: number, isSound: (at: number, end: number) => boolean): boolean {
    const { index } = this;
    return line >= 0 && !index.folded(line) && isSound(index.valueStart(line), index.valueEnd(line));
  }

  /** The topmost Via; a problem when there is none or it is malformed. */
  topVia(): Parsed<Via> {
    return (this.viaMemo ??= this.first(ID.via, HEADERS.via.read));
  }
  vias(): Parsed<readonly Via[]> {
    return this.list(ID.via, HEADERS.via.read, LIMITS.vias, 'too-many-vias');
  }
  from(): Parsed<NameAddr> {
    return (this.fromMemo ??= this.only(ID.from, HEADERS.from.read));
  }
  to(): Parsed<NameAddr> {
    return (this.toMemo ??= this.only(ID.to, HEADERS.to.read));
  }
  callId(): Parsed<string> {
    return (this.callIdMemo ??= this.only(ID.callId, HEADERS['call-id'].read));
  }
  cseq(): Parsed<CSeq> {
    return (this.cseqMemo ??= this.only(ID.cseq, HEADERS.cseq.read));
  }
  contacts(): Parsed<Contacts> {
    return (this.contactsMemo ??= this.readContacts());
  }

  /** Undefined when absent, and when above 255. */
  maxForwards(): Parsed<number | undefined> {
    return (this.maxForwardsMemo ??= this.readMaxForwards());
  }

  /** Seconds, clamped to 2^32-1. Malformed text is a problem, but 3600 in a REGISTER (RFC 3261 §10.2.1.1). */
  expires(): Parsed<number | undefined> {
    const read = this.optional(ID.expires, HEADERS.expires.read);
    if (read.ok) return read.value !== undefined && read.value > MAX_DELTA_SECONDS ? LONGEST : read;
    return this.isRegister() && read.error.code === 'number' ? MALFORMED : read;
  }

  routes(): Parsed<readonly NameAddr[]> {
    return this.list(ID.route, HEADERS.route.read);
  }
  recordRoutes(): Parsed<readonly NameAddr[]> {
    return this.list(ID.recordRoute, HEADERS['record-route'].read);
  }
  paths(): Parsed<readonly NameAddr[]> {
    return this.list(ID.path, HEADERS.path.read);
  }
  assertedIdentities(): Parsed<readonly NameAddr[]> {
    return this.list(ID.assertedIdentity, HEADERS['p-asserted-identity'].read);
  }

  /** The Digest credentials of all the lines; those of other schemes are left out (RFC 4475 §3.3.7). */
  authorization(): Parsed<readonly DigestCredentials[]> {
    return (this.authorizationMemo ??= this.credentials(ID.authorization));
  }
  proxyAuthorization(): Parsed<readonly DigestCredentials[]> {
    return this.credentials(ID.proxyAuthorization);
  }

  event(): Parsed<EventHeader | undefined> {
    return this.optional(ID.event, HEADERS.event.read);
  }
  /** The media ranges; empty when the header is absent or empty (`has('accept')` tells). */
  accept(): Parsed<readonly MediaRange[]> {
    return this.list(ID.accept, HEADERS.accept.read);
  }
  /** Option tags of one of these headers, lower case; what is no token is among them as it came. */
  options(name: OptionHeader): readonly string[] {
    const tags: string[] = [];
    for (const value of this.headers(name)) {
      load(value);
      readOptionTags(value, 0, value.length, tags);
    }
    return tags;
  }
  /** The media type of the body. */
  contentType(): Parsed<MediaRange | undefined> {
    return this.optional(ID.contentType, HEADERS['content-type'].read);
  }
  contentLength(): Parsed<number | undefined> {
    return (this.lengthMemo ??= this.optional(ID.contentLength, HEADERS['content-length'].read));
  }

  /** True when an Expires that is malformed has a meaning. */
  protected isRegister(): boolean {
    return false;
  }

  private readMaxForwards(): Parsed<number | undefined> {
    const read = this.optional(ID.maxForwards, HEADERS['max-forwards'].read);
    return read.ok && read.value !== undefined && read.value > MAX_MAX_FORWARDS ? NOTHING : read;
  }

  private readContacts(): Parsed<Contacts> {
    const { index } = this;
    const first = index.find(ID.contact);
    if (first < 0) return NO_CONTACTS;
    for (let line = first; line >= 0; line = index.find(ID.contact, line + 1)) {
      const at = index.valueStart(line);
      if (this.raw.charCodeAt(at) !== STAR || index.valueEnd(line) !== at + 1) continue;
      if (line === first && index.find(ID.contact, line + 1) < 0) return WILDCARD;
      // RFC 3261 §10.2.2: "*" stands alone
      return this.located(flaw('contact-wildcard', at, '"*" beside another Contact').error, line);
    }
    const list = this.list(ID.contact, HEADERS.contact.read, LIMITS.contacts, 'too-many-contacts');
    return list.ok ? good({ kind: 'list', contacts: list.value } as const, 0) : list;
  }

  private credentials(id: number): Parsed<readonly DigestCredentials[]> {
    const found: DigestCredentials[] = [];
    for (let line = this.index.find(id); line >= 0; line = this.index.find(id, line + 1)) {
      const outcome = this.readLine(line, HEADERS.authorization.read);
      if (!outcome.ok) return this.located(outcome.error, line);
      if (outcome.value !== undefined) found.push(outcome.value);
    }
    return good(found, 0);
  }
}

const LONGEST = good(MAX_DELTA_SECONDS, 0);
const MALFORMED = good(MALFORMED_EXPIRES, 0);
const NO_CONTACTS = good({ kind: 'none' } as const, 0);
const WILDCARD = good({ kind: 'wildcard' } as const, 0);
