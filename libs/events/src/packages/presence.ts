import { ok } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import { fingerprintOf } from '../fingerprint.ts';
import type { ResourceState } from '../model.ts';
import { XML_DECLARATION, escapeXml } from '../xml/write.ts';
import { composePresence } from './compose-presence.ts';
import type { ComposedPresence } from './compose-presence.ts';
import type { EventPackage, StateView } from './package.ts';
import { PIDF_NAMESPACE, PIDF_SCOPE, packParts, readPidf } from './pidf.ts';

/** RFC 3856 §6.4. */
const DEFAULT_EXPIRES = 3600;

export const PIDF = 'application/pidf+xml';
/** What Polycom and Messenger asked for before there was PIDF (draft-rosenberg-impp-pidf-00). */
export const XPIDF = 'application/xpidf+xml';
/** PIDF under the name of its drafts: Cisco's phones ask for it and read PIDF. */
export const CPIM_PIDF = 'application/cpim-pidf+xml';

/** RFC 3856: who can be reached, from registrations and publications. */
export const presence: EventPackage = {
  name: 'presence',
  rfc: 'RFC 3856',
  types: [PIDF, CPIM_PIDF, XPIDF],
  defaultExpires: DEFAULT_EXPIRES,
  sources: ['location', 'publications'],
  unmovedBy: new Set(['refreshed', 'shortened']),
  audience: 'anybody',
  publication: {
    types: [PIDF],
    read: (body) => {
      const parts = readPidf(body);
      return parts.ok ? ok(packParts(parts.value)) : parts;
    },
  },
  view,
};

function view(state: ResourceState, now: EpochMs): StateView {
  const composed = composePresence(state, now);
  const body = writePidf(state.resource, composed);
  return {
    fingerprint: fingerprintOf(body),
    write: ({ type }) => (type === XPIDF ? writeXpidf(state.resource, composed) : body),
  };
}

const DECLARED = [...PIDF_SCOPE.prefixes].map(([space, prefix]) => [prefix, space] as const);

/** RFC 3863 §4.4: tuples, notes, and then what extends it. */
function writePidf(resource: string, composed: ComposedPresence): string {
  let inner = '';
  for (const { id, xml } of composed.tuples) inner += `<tuple id="${escapeXml(id)}">${xml}</tuple>\r\n`;
  for (const note of composed.notes) inner += `${note}\r\n`;
  if (composed.person !== '') inner += `<dm:person id="person">${composed.person}</dm:person>\r\n`;
  for (const device of composed.devices) inner += `${device}\r\n`;
  let declared = '';
  for (const [prefix, space] of DECLARED)
    if (inner.includes(`${prefix}:`)) declared += ` xmlns:${prefix}="${space}"`;
  return (
    `${XML_DECLARATION}<presence xmlns="${PIDF_NAMESPACE}"${declared} entity="${escapeXml(resource)}">\r\n` +
    `${inner}</presence>\r\n`
  );
}

const XPIDF_DOCTYPE = '<!DOCTYPE presence PUBLIC "-//IETF//DTD RFCxxxx XPIDF 1.0//EN" "xpidf.dtd">\r\n';

/**
 * The draft's format knows addresses with a status; the phones that ask for it look at one. On the phone counts as in use where
 * a person's activities say so.
 */
function writeXpidf(resource: string, { tuples, person }: ComposedPresence): string {
  const open = tuples.some((tuple) => tuple.open);
  const busy = open && person.includes('<rpid:on-the-phone');
  const status = busy ? 'inuse' : open ? 'open' : 'closed';
  const substatus = busy ? 'onthephone' : open ? 'online' : 'offline';
  const uri = escapeXml(resource);
  return (
    `<?xml version="1.0"?>\r\n${XPIDF_DOCTYPE}<presence>\r\n<presentity uri="${uri};method=SUBSCRIBE" />\r\n` +
    `<atom id="${fingerprintOf(resource)}">\r\n<address uri="${uri};user=ip" priority="0.800000">\r\n` +
    `<status status="${status}" />\r\n<msnsubstatus substatus="${substatus}" />\r\n</address>\r\n</atom>\r\n</presence>\r\n`
  );
}
