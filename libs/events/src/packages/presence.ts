import type { Binding } from '@rollcall/location';
import { ok } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import { fingerprintOf } from '../fingerprint.ts';
import type { ResourceState } from '../model.ts';
import { XML_DECLARATION, escapeXml } from '../xml/write.ts';
import type { EventPackage, StateView } from './package.ts';
import { packTuples, readPidf, unpackTuples } from './pidf.ts';

/** RFC 3856 §6.4. */
const DEFAULT_EXPIRES = 3600;

export const PIDF = 'application/pidf+xml';

/** RFC 3856: who can be reached, from registrations and publications. */
export const presence: EventPackage = {
  name: 'presence',
  rfc: 'RFC 3856',
  types: [PIDF],
  defaultExpires: DEFAULT_EXPIRES,
  sources: ['location', 'publications'],
  unmovedBy: new Set(['refreshed', 'shortened']),
  audience: 'anybody',
  publication: {
    types: [PIDF],
    read: (body) => {
      const tuples = readPidf(body);
      return tuples.ok ? ok(packTuples(tuples.value)) : tuples;
    },
  },
  view,
};

function view(state: ResourceState, now: EpochMs): StateView {
  const body = writePidf(state, now);
  return { fingerprint: fingerprintOf(body), write: () => body };
}

/**
 * RFC 3863 §4.1: a tuple for each device. What a user publishes is their word on their presence and stands before what
 * their registrations suggest (RFC 3856 §7.2, §7.3): with a publication alive, registrations add nothing.
 */
function writePidf(state: ResourceState, now: EpochMs): string {
  const published = publishedTuples(state, now);
  const tuples = published === '' ? registeredTuples(state, now) : published;
  return `${XML_DECLARATION}<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${escapeXml(state.resource)}">\r\n${tuples}</presence>\r\n`;
}

function publishedTuples(state: ResourceState, now: EpochMs): string {
  let tuples = '';
  const used = new Set<string>();
  for (const publication of state.publications?.publications ?? []) {
    if (publication.package !== presence.name || publication.expiresAt <= now) continue;
    for (const tuple of unpackTuples(publication.body)) {
      // §4.1.2: unique within the document, whatever the devices chose; the same over the life of a publication.
      let id = tuple.id;
      for (let n = 2; used.has(id); n += 1) id = `${tuple.id}.${n}`;
      used.add(id);
      tuples += `<tuple id="${escapeXml(id)}">${tuple.content}</tuple>\r\n`;
    }
  }
  return tuples;
}

function registeredTuples(state: ResourceState, now: EpochMs): string {
  const devices = devicesOf(state, now);
  if (devices.size === 0) {
    return `<tuple id="none"><status><basic>closed</basic></status><contact>${escapeXml(state.resource)}</contact></tuple>\r\n`;
  }
  let tuples = '';
  for (const [key, device] of devices) {
    // RFC 3856 §7.2: the AoR, not the device's address, so that calls pass the proxy and the address stays private.
    const priority = device.q === undefined ? '' : ` priority="${(device.q / 1000).toString()}"`;
    const since = new Date(device.registeredAt).toISOString();
    tuples +=
      `<tuple id="d${fingerprintOf(key)}"><status><basic>open</basic></status>` +
      `<contact${priority}>${escapeXml(state.resource)}</contact><timestamp>${since}</timestamp></tuple>\r\n`;
  }
  return tuples;
}

/** One binding for each device: several of one `+sip.instance` are flows of one (RFC 5626 §4.2). The earliest speaks for it. */
function devicesOf(state: ResourceState, now: EpochMs): Map<string, Binding> {
  const devices = new Map<string, Binding>();
  for (const binding of state.location?.bindings ?? []) {
    if (binding.expiresAt <= now) continue;
    const key = binding.instance ?? binding.id;
    const known = devices.get(key);
    if (known === undefined || binding.registeredAt < known.registeredAt) devices.set(key, binding);
  }
  return devices;
}
