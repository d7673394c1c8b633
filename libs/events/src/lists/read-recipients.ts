import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import { parseAor } from '@rollcall/location';
import type { SipRequest } from '@rollcall/sip';
import { refusal } from '../refusals.ts';
import type { Refusal } from '../refusals.ts';
import { readXml } from '../xml/read.ts';
import type { XmlElement } from '../xml/read.ts';
import { MAX_LIST_ENTRIES } from './model.ts';
import type { ListEntry } from './model.ts';

/** RFC 4826 §3.3. */
export const RESOURCE_LISTS = 'application/resource-lists+xml';
const NAMESPACE = 'urn:ietf:params:xml:ns:resource-lists';
/** RFC 5367 §9.2. */
export const RECIPIENT_LIST = 'recipient-list-subscribe';
/** 100 entries with long URIs and names. */
const MAX_OCTETS = 65_536;

/** The list in the body of a SUBSCRIBE (RFC 5367 §3); undefined when none came. */
export function readRecipients(
  request: SipRequest,
  domainAliases: ReadonlyMap<string, string> | undefined,
): Result<readonly ListEntry[] | undefined, Refusal> {
  if (!request.options('require').includes(RECIPIENT_LIST)) return ok(undefined);
  const type = (request.header('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (request.body === '' || type !== RESOURCE_LISTS) {
    return err(refusal('unsupported-body', `Accept: ${RESOURCE_LISTS}\r\n`));
  }
  if (request.body.length > MAX_OCTETS) return err(refusal('body-too-large'));
  const document = readXml(request.body);
  if (!document.ok || !isOurs(document.value, 'resource-lists')) return err(refusal('bad-document'));
  const entries = entriesOf(document.value, domainAliases);
  return entries.length > MAX_LIST_ENTRIES ? err(refusal('body-too-large')) : ok(entries);
}

/** RFC 5367 §4: flat lists of entries; anything more MAY be discarded. An entry that is no AoR is none of ours. */
function entriesOf(
  root: XmlElement,
  domainAliases: ReadonlyMap<string, string> | undefined,
): readonly ListEntry[] {
  const entries = new Map<string, ListEntry>();
  for (const list of root.children) {
    if (!isOurs(list, 'list')) continue;
    for (const element of list.children) {
      if (!isOurs(element, 'entry')) continue;
      const uri = parseAor(
        element.attributes.get('uri') ?? '',
        domainAliases === undefined ? {} : { domainAliases },
      );
      if (!uri.ok || /[\r\n\t]/.test(uri.value)) continue;
      const name = element.children.find((child) => isOurs(child, 'display-name'))?.text.trim();
      const shown = name === undefined ? undefined : name.replace(/[\r\n\t]+/g, ' ');
      entries.set(uri.value, {
        uri: uri.value,
        ...(shown === undefined || shown === '' ? {} : { name: shown }),
      });
    }
  }
  return [...entries.values()];
}

const isOurs = (element: XmlElement, name: string): boolean =>
  element.name === name && element.space === NAMESPACE;
