import type { Binding } from '@rollcall/location';
import type { EpochMs } from '@rollcall/kernel';
import { fingerprintOf } from '../fingerprint.ts';
import type { ResourceState } from '../model.ts';
import { escapeXml } from '../xml/write.ts';
import { unpackParts } from './pidf.ts';
import type { PidfPart } from './pidf.ts';

/*
 * Composition of presence (RFC 3856 §7.2, RFC 4479 §3.5; docs/presence-composition.md has the rules with their reasons).
 */

/** One service of the presentity: a tuple (RFC 4479 §3.3). */
export interface ComposedTuple {
  /** Unique in the document. */
  readonly id: string;
  readonly open: boolean;
  /** The children of the tuple. */
  readonly xml: string;
}

/** What all sources together say of a presentity. */
export interface ComposedPresence {
  readonly tuples: readonly ComposedTuple[];
  /** Notes on the presentity, whole elements. */
  readonly notes: readonly string[];
  /** The children of the one person, empty when nobody said anything of it. */
  readonly person: string;
  /** The devices, whole elements. */
  readonly devices: readonly string[];
}

type TuplePart = Extract<PidfPart, { kind: 'tuple' }>;
type PersonPart = Extract<PidfPart, { kind: 'person' }>;
type DevicePart = Extract<PidfPart, { kind: 'device' }>;

const PRESENCE = 'presence';
const NOTE = 'dm:note';

/** Puts publications and registrations together. */
export function composePresence(state: ResourceState, now: EpochMs): ComposedPresence {
  const { tuples: published, notes, persons, devices } = publishedParts(state, now);
  const tuples = uniqueTuples(published);
  tuples.push(...registeredTuples(state, published, now));
  if (tuples.length === 0) tuples.push(nobodyRegistered(state));
  return { tuples, notes: distinct(notes), person: onePerson(persons), devices: uniqueDevices(devices) };
}

/** What is published, by what it is. */
interface PublishedParts {
  readonly tuples: TuplePart[];
  readonly persons: PersonPart[];
  readonly devices: DevicePart[];
  readonly notes: string[];
}

function publishedParts(state: ResourceState, now: EpochMs): PublishedParts {
  const sorted: PublishedParts = { tuples: [], persons: [], devices: [], notes: [] };
  for (const each of state.publications?.publications ?? []) {
    if (each.package !== PRESENCE || each.expiresAt <= now) continue;
    for (const part of unpackParts(each.body)) {
      if (part.kind === 'tuple') sorted.tuples.push(part);
      else if (part.kind === 'person') sorted.persons.push(part);
      else if (part.kind === 'device') sorted.devices.push(part);
      else sorted.notes.push(part.xml);
    }
  }
  return sorted;
}

/** RFC 3863 §4.1.2: ids are unique within the document, whatever the devices chose, and the same over the life of a publication. */
function uniqueTuples(published: readonly TuplePart[]): ComposedTuple[] {
  const used = new Set<string>();
  return published.map(({ id, xml }) => ({
    id: unused(id, used),
    open: xml.startsWith('<status><basic>open<'),
    xml,
  }));
}

function unused(wanted: string, used: Set<string>): string {
  let id = wanted;
  for (let n = 2; used.has(id); n += 1) id = `${wanted}.${n}`;
  used.add(id);
  return id;
}

/**
 * A tuple for each registered device that no published tuple speaks for. A published tuple that names no device speaks for the
 * user as a whole: then registrations add nothing (RFC 3856 §7.2 leaves it to us; a user who says "closed" is not shown open).
 */
function registeredTuples(
  state: ResourceState,
  published: readonly TuplePart[],
  now: EpochMs,
): readonly ComposedTuple[] {
  const devices = devicesOf(state, now);
  if (devices.size === 0) return [];
  const spoken = new Set<string>();
  for (const { contact, device } of published) {
    const named = [...devices].filter(([, bindings]) =>
      bindings.some((each) => names(contact, device, each)),
    );
    if (named.length === 0) return [];
    for (const [key] of named) spoken.add(key);
  }
  return [...devices]
    .filter(([key]) => !spoken.has(key))
    .map(([key, bindings]) => deviceTuple(state, key, bindings));
}

const names = (contact: string, device: string, binding: Binding): boolean =>
  contact === binding.contact ||
  (device !== '' && binding.instance !== undefined && bare(device) === bare(binding.instance));

/** An instance id without the angle brackets of `+sip.instance`. */
const bare = (instance: string): string => instance.replace(/^<|>$/g, '').toLowerCase();

function deviceTuple(state: ResourceState, key: string, bindings: readonly Binding[]): ComposedTuple {
  // The earliest of a device's flows speaks for it (RFC 5626 §4.2).
  const first = bindings.reduce((best, each) => (each.registeredAt < best.registeredAt ? each : best));
  // RFC 3856 §7.2: the AoR, not the device's address, so that calls pass the proxy and the address stays private.
  const priority = first.q === undefined ? '' : ` priority="${(first.q / 1000).toString()}"`;
  const since = new Date(first.registeredAt).toISOString();
  const xml =
    `<status><basic>open</basic></status>` +
    `<contact${priority}>${escapeXml(state.resource)}</contact><timestamp>${since}</timestamp>`;
  return { id: `d${fingerprintOf(key)}`, open: true, xml };
}

/** Bindings by device: several of one `+sip.instance` are flows of one. */
function devicesOf(state: ResourceState, now: EpochMs): Map<string, Binding[]> {
  const devices = new Map<string, Binding[]>();
  for (const binding of state.location?.bindings ?? []) {
    if (binding.expiresAt <= now) continue;
    const key = binding.instance ?? binding.id;
    const known = devices.get(key);
    if (known === undefined) devices.set(key, [binding]);
    else known.push(binding);
  }
  return devices;
}

function nobodyRegistered({ resource }: ResourceState): ComposedTuple {
  const xml = `<status><basic>closed</basic></status><contact>${escapeXml(resource)}</contact>`;
  return { id: 'none', open: false, xml };
}

/** RFC 4479 §3.2: one person. Element by element, what was said last stands; notes are all kept. */
function onePerson(parts: readonly PersonPart[]): string {
  if (parts.length === 0) return '';
  const elements = new Map<string, PersonPart>();
  const notes: string[] = [];
  let stamp = '';
  for (const part of parts) {
    if (timeOf(part.stamp) >= timeOf(stamp)) stamp = part.stamp;
    if (part.name === NOTE) notes.push(part.xml);
    else {
      const known = elements.get(part.name);
      if (known === undefined || timeOf(part.stamp) >= timeOf(known.stamp)) elements.set(part.name, part);
    }
  }
  const all = [...elements.values()].map(({ xml }) => xml).join('') + distinct(notes).join('');
  return stamp === '' || all === '' ? all : `${all}<dm:timestamp>${stamp}</dm:timestamp>`;
}

/** What has no time is older than all that has one. */
function timeOf(stamp: string): number {
  const time = stamp === '' ? Number.NaN : Date.parse(stamp);
  return Number.isNaN(time) ? 0 : time;
}

/** RFC 4479 §3.4: a device is its device id; the last word on it stands. */
function uniqueDevices(parts: readonly DevicePart[]): readonly string[] {
  if (parts.length === 0) return [];
  const devices = new Map<string, string>();
  const used = new Set<string>();
  for (const part of parts) {
    const key = part.device === '' ? `\n${devices.size}` : bare(part.device);
    const id = unused(part.id === '' ? 'device' : part.id, used);
    devices.set(key, `<dm:device id="${escapeXml(id)}">${part.xml}</dm:device>`);
  }
  return [...devices.values()];
}

const distinct = (texts: readonly string[]): readonly string[] =>
  texts.length < 2 ? texts : [...new Set(texts)];
