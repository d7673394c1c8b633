import type { Aor } from '@rollcall/location';
import { fingerprintOf } from '../fingerprint.ts';
import type { DocumentRequest, StateView } from '../packages/package.ts';
import { XML_DECLARATION, escapeXml } from '../xml/write.ts';
import type { ResourceList } from './model.ts';

/** RFC 4662 §8.2. */
export const RLMI = 'application/rlmi+xml';
export const MULTIPART_RELATED = 'multipart/related';

/** What a list subscriber is told of one entry: its state, that it waits for consent, or that there is nothing to see. */
export type EntryState =
  | { readonly kind: 'active'; readonly view: StateView }
  | { readonly kind: 'pending' }
  | { readonly kind: 'terminated'; readonly reason: 'rejected' | 'noresource' };

/** Octets of each entry's mark in a list's fingerprint: 31 bits. */
const MARK_OCTETS = 6;
const MARK_SPACE = 36 ** MARK_OCTETS;

/**
 * The state of a resource list (RFC 4662 §5) as one subscriber sees it. Its fingerprint names the list's version and carries a
 * mark of each entry's state, so that the record of a subscription alone says which entries are news to the subscriber.
 */
export class ListView implements StateView {
  readonly fingerprint: string;
  readonly #marks: readonly string[];
  readonly #head: string;

  /** `states` in the order of the list's entries. */
  constructor(
    private readonly uri: Aor,
    private readonly list: ResourceList,
    private readonly states: readonly EntryState[],
  ) {
    this.#head = `${list.version.toString(36)}_`;
    this.#marks = states.map(markOf);
    this.fingerprint = this.#head + this.#marks.join('');
  }

  contentType(request: DocumentRequest): string {
    const { boundary, root } = this.#names(request.version);
    return `multipart/related;type="${RLMI}";start="<${root}>";boundary="${boundary}"`;
  }

  /** RFC 4662 §5: the meta-information, then the state of each entry that it names. */
  write({ type, version, news }: DocumentRequest): string {
    const { boundary, root } = this.#names(version);
    const told = this.#toldMarks(news?.after);
    let resources = '';
    let parts = '';
    this.list.entries.forEach(({ uri, name }, n) => {
      const state = this.states[n];
      if (state === undefined || told?.[n] === this.#marks[n]) return;
      const cid = `e${n}.${version}@${CID_HOST}`;
      resources += resourceElement(uri, name, state, cid);
      if (state.kind !== 'active') return;
      const request: DocumentRequest = { type, version };
      const contentType = state.view.contentType?.(request) ?? type;
      parts += part(boundary, cid, contentType, state.view.write(request));
    });
    const listName = this.list.name === undefined ? '' : `<name>${escapeXml(this.list.name)}</name>\r\n`;
    const rlmi =
      `${XML_DECLARATION}<list xmlns="urn:ietf:params:xml:ns:rlmi" uri="${escapeXml(this.uri)}" version="${version}"` +
      ` fullState="${told === undefined ? 'true' : 'false'}">\r\n${listName}${resources}</list>\r\n`;
    return `${part(boundary, root, `${RLMI};charset="UTF-8"`, rlmi)}${parts}--${boundary}--\r\n`;
  }

  /** Marks that the subscriber has been told, where that was of this very list; undefined: all is to be told. */
  #toldMarks(after: string | undefined): readonly string[] | undefined {
    if (after?.startsWith(this.#head) !== true) return undefined;
    const marks = after.slice(this.#head.length);
    if (marks.length !== this.#marks.length * MARK_OCTETS) return undefined;
    return this.#marks.map((_, n) => marks.slice(n * MARK_OCTETS, (n + 1) * MARK_OCTETS));
  }

  /** No body holds the boundary: it is made from a hash of them all. */
  #names(version: number): { boundary: string; root: string } {
    const hash = fingerprintOf(this.fingerprint);
    return { boundary: `rollcall-${hash}-${version}`, root: `rlmi.${version}@${CID_HOST}` };
  }
}

/** Right side of our Content-IDs (RFC 2392); unique only within the message, which is all that is asked. */
const CID_HOST = 'list.invalid';

function markOf(state: EntryState): string {
  const text =
    state.kind === 'active' ? state.view.fingerprint : state.kind === 'pending' ? '?' : state.reason;
  const hash = Number.parseInt(fingerprintOf(`${state.kind} ${text}`).slice(0, MARK_OCTETS), 36) % MARK_SPACE;
  return hash.toString(36).padStart(MARK_OCTETS, '0');
}

/** RFC 4662 §5.3, §5.5: one instance of each, since nothing forks here. */
function resourceElement(uri: Aor, name: string | undefined, state: EntryState, cid: string): string {
  const label = name === undefined ? '' : `<name>${escapeXml(name)}</name>`;
  const more =
    state.kind === 'active'
      ? ` cid="${cid}"`
      : state.kind === 'terminated'
        ? ` reason="${state.reason}"`
        : '';
  return `<resource uri="${escapeXml(uri)}">${label}<instance id="1" state="${state.kind}"${more}/></resource>\r\n`;
}

/** RFC 2046 §5.1.1. */
function part(boundary: string, cid: string, type: string, body: string): string {
  return (
    `--${boundary}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <${cid}>\r\n` +
    `Content-Type: ${type}\r\n\r\n${body}\r\n`
  );
}
