import { err, ok } from '@rollcall/kernel';
import type { EpochMs, Result } from '@rollcall/kernel';
import { fingerprintOf } from '../fingerprint.ts';
import type { ResourceState } from '../model.ts';
import { readXml } from '../xml/read.ts';
import type { XmlElement } from '../xml/read.ts';
import { XML_DECLARATION, escapeXml } from '../xml/write.ts';
import type { DocumentRequest, EventPackage, StateView } from './package.ts';

/*
 * Feature key synchronisation as BroadSoft's phones do it: a SUBSCRIBE whose body sets do-not-disturb or a forwarding, NOTIFYs
 * that tell all phones of the user. The elements are CSTA's (ECMA-323, third edition).
 */

const CSTA = 'http://www.ecma-international.org/standards/ecma-323/csta/ed3';
const FEATURE_EVENT = 'application/x-as-feature-event+xml';
const DEFAULT_EXPIRES = 3600;
const MAX_NUMBER = 256;
const MAX_RINGS = 99;

const FORWARDINGS = ['forwardImmediate', 'forwardBusy', 'forwardNoAns'] as const;
type ForwardingType = (typeof FORWARDINGS)[number];

interface Forwarding {
  readonly on: boolean;
  /** Number or URI, octets. */
  readonly to: string;
  /** Rings before a call that is not answered is forwarded. */
  readonly rings: number | undefined;
}

/** What the keys of a user's phones are set to. */
interface Features {
  readonly doNotDisturb: boolean;
  readonly forwardings: ReadonlyMap<ForwardingType, Forwarding>;
}

type Command =
  | { readonly kind: 'doNotDisturb'; readonly on: boolean }
  | { readonly kind: 'forwarding'; readonly type: ForwardingType; readonly forwarding: Forwarding };

export const features: EventPackage = {
  name: 'as-feature-event',
  rfc: 'BroadSoft feature key synchronisation, ECMA-323',
  types: [FEATURE_EVENT],
  defaultExpires: DEFAULT_EXPIRES,
  sources: ['publications'],
  unmovedBy: new Set(),
  audience: 'owner',
  command: {
    types: [FEATURE_EVENT],
    read: (body) => {
      const command = readCommand(body);
      return command.ok ? ok((before: string) => pack(applied(unpack(before), command.value))) : command;
    },
  },
  view: (state, now) => new FeatureView(state, now),
};

function readCommand(body: string): Result<Command, string> {
  const document = readXml(body);
  if (!document.ok) return err(`${document.error.detail} at ${document.error.at}`);
  const root = document.value;
  if (root.space !== CSTA) return err('not a feature of CSTA');
  if (root.name === 'SetDoNotDisturb') return readDoNotDisturb(root);
  return root.name === 'SetForwarding' ? readForwarding(root) : err('a feature that is not known');
}

function readDoNotDisturb(root: XmlElement): Result<Command, string> {
  const on = readBoolean(childText(root, 'doNotDisturbOn'));
  return on === undefined ? err('doNotDisturbOn is no boolean') : ok({ kind: 'doNotDisturb', on });
}

function readForwarding(root: XmlElement): Result<Command, string> {
  const named = childText(root, 'forwardingType');
  const type = FORWARDINGS.find((each) => each === named);
  const on = readBoolean(childText(root, 'activateForward'));
  if (type === undefined) return err('a forwardingType that is not known');
  if (on === undefined) return err('activateForward is no boolean');
  const to = childText(root, 'forwardDN').replace(/[\t\r\n]/g, ' ');
  if (to.length > MAX_NUMBER) return err('forwardDN is too long');
  const rings = Number.parseInt(childText(root, 'ringCount'), 10);
  const counted = Number.isNaN(rings) ? undefined : Math.min(Math.max(rings, 0), MAX_RINGS);
  return ok({ kind: 'forwarding', type, forwarding: { on, to, rings: counted } });
}

const childText = (element: XmlElement, name: string): string =>
  element.children.find((child) => child.name === name && child.space === CSTA)?.text.trim() ?? '';

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);
const readBoolean = (text: string): boolean | undefined => BOOLEANS.get(text.toLowerCase());

function applied(before: Features, command: Command): Features {
  if (command.kind === 'doNotDisturb') return { ...before, doNotDisturb: command.on };
  const forwardings = new Map(before.forwardings);
  const known = forwardings.get(command.type);
  const { on, to, rings } = command.forwarding;
  // A key that switches off says nothing of the number; the phones keep showing the last one.
  forwardings.set(command.type, { on, to: to === '' ? (known?.to ?? '') : to, rings: rings ?? known?.rings });
  return { ...before, forwardings };
}

/** A line for each feature, columns with tabs between them. */
function pack({ doNotDisturb, forwardings }: Features): string {
  const lines = [`dnd\t${doNotDisturb}`];
  for (const type of FORWARDINGS) {
    const forwarding = forwardings.get(type);
    if (forwarding !== undefined)
      lines.push([type, String(forwarding.on), forwarding.to, forwarding.rings ?? ''].join('\t'));
  }
  return lines.join('\n');
}

function unpack(packed: string): Features {
  let doNotDisturb = false;
  const forwardings = new Map<ForwardingType, Forwarding>();
  for (const line of packed.split('\n')) {
    const [name, on, to = '', rings = ''] = line.split('\t');
    const type = FORWARDINGS.find((each) => each === name);
    if (name === 'dnd') doNotDisturb = on === 'true';
    else if (type !== undefined)
      forwardings.set(type, { on: on === 'true', to, rings: rings === '' ? undefined : Number(rings) });
  }
  return { doNotDisturb, forwardings };
}

/** Between the parts of a multipart; no document holds a line break, so none can hold it. */
const BOUNDARY = 'rollcall-features';

class FeatureView implements StateView {
  readonly fingerprint: string;
  /** A document for each feature that was ever set; do-not-disturb always. */
  readonly #documents: readonly string[];

  constructor(state: ResourceState, now: EpochMs) {
    const stored = state.publications?.publications.find(
      (each) => each.package === features.name && each.expiresAt > now,
    );
    this.#documents = writeDocuments(unpack(stored?.body ?? ''), state.resource);
    this.fingerprint = this.#documents.map(fingerprintOf).join('.');
  }

  /** Several documents are parts of one body; after a change of one feature that one alone is told. */
  write(request: DocumentRequest): string {
    const documents = this.#told(request);
    const [first, second] = documents;
    if (first !== undefined && second === undefined) return first;
    const parts = documents.map(
      (each) => `--${BOUNDARY}\r\nContent-Type: ${FEATURE_EVENT}\r\n\r\n${each}\r\n`,
    );
    return `${parts.join('')}--${BOUNDARY}--\r\n`;
  }

  contentType(request: DocumentRequest): string {
    return this.#told(request).length === 1 ? FEATURE_EVENT : `multipart/mixed;boundary="${BOUNDARY}"`;
  }

  #told({ news }: DocumentRequest): readonly string[] {
    if (news === undefined) return this.#documents;
    const known = new Set(news.after.split('.'));
    const changed = this.#documents.filter((each) => !known.has(fingerprintOf(each)));
    return changed.length === 0 ? this.#documents : changed;
  }
}

function writeDocuments({ doNotDisturb, forwardings }: Features, resource: string): readonly string[] {
  const device = `<device>${escapeXml(resource)}</device>`;
  const documents = [write('DoNotDisturbEvent', `${device}<doNotDisturbOn>${doNotDisturb}</doNotDisturbOn>`)];
  for (const type of FORWARDINGS) {
    const forwarding = forwardings.get(type);
    if (forwarding === undefined) continue;
    const rings = forwarding.rings === undefined ? '' : `<ringCount>${forwarding.rings}</ringCount>`;
    documents.push(
      write(
        'ForwardingEvent',
        `${device}<forwardingType>${type}</forwardingType><forwardStatus>${forwarding.on}</forwardStatus>` +
          `<forwardTo>${escapeXml(forwarding.to)}</forwardTo>${rings}`,
      ),
    );
  }
  return documents;
}

const write = (name: string, inner: string): string =>
  `${XML_DECLARATION}<${name} xmlns="${CSTA}">${inner}</${name}>`;
