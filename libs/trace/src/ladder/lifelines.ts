import { displayText } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import type { TraceEntry } from '../entry.ts';
import type { Lifeline, LifelineKind } from './model.ts';

/** An edge by its id and where it is reached inside, `host:port`. */
export interface KnownEdge {
  readonly id: string;
  readonly inner: string;
}

/** One end of a step. */
export interface Side {
  readonly id: string;
  readonly kind: LifelineKind;
}

const ORDER: readonly LifelineKind[] = ['phone', 'edge', 'registrar', 'presence', 'store'];
const NAMES: Readonly<Record<LifelineKind, string>> = {
  phone: 'Phone',
  edge: 'Edge',
  registrar: 'Registrar',
  presence: 'Presence',
  store: 'Redis',
};

interface Known {
  readonly kind: LifelineKind;
  readonly name: string;
  readonly details: Set<string>;
}

/** More of an address list says nothing to a reader. */
const MAX_DETAILS = 3;

/** Who takes part, found as the messages come. */
export class Lifelines {
  readonly #known = new Map<string, Known>();

  constructor(private readonly edges: readonly KnownEdge[]) {}

  /** The edge that recorded the entry. */
  edge({ edge }: TraceEntry): Side {
    return this.#side(`edge ${edge}`, 'edge', `Edge ${displayText(edge)}`);
  }

  store(): Side {
    return this.#side('store', 'store', NAMES.store);
  }

  /** Who is at the other end. `mirror`: the other edge that has recorded the same message. */
  remote(entry: TraceEntry, request: SipRequest | undefined, mirror: string | undefined): Side {
    const { hop, remote, transport } = entry;
    const address = `${remote.address.includes(':') ? `[${remote.address}]` : remote.address}:${String(remote.port)}`;
    if (hop === 'registrar' || hop === 'presence') return this.#side(hop, hop, NAMES[hop], address);
    const peer = this.edges.find(({ inner }) => inner === address);
    if (peer !== undefined) return this.#side(`edge ${peer.id}`, 'edge', `Edge ${displayText(peer.id)}`);
    if (hop === 'inner' && mirror !== undefined)
      return this.#side(`edge ${mirror}`, 'edge', `Edge ${displayText(mirror)}`);
    if (hop === 'inner') return this.#inner(entry, request);
    const id = `phone ${transport} ${address}`;
    const side = this.#side(id, 'phone', NAMES.phone, `${transport} ${address}`);
    if (entry.direction === 'in') this.#addAgent(id, entry, request);
    return side;
  }

  /** Those that are in use, from the outside to the store; names of several of one kind are numbered. */
  list(used: ReadonlySet<string>): Lifeline[] {
    const all = [...this.#known].filter(([id]) => used.has(id));
    const sorted = all.sort(([, a], [, b]) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
    const phones = sorted.filter(([, { kind }]) => kind === 'phone');
    return sorted.map(([id, { kind, name, details }]) => {
      const number = phones.length > 1 ? phones.findIndex(([other]) => other === id) + 1 : 0;
      return {
        id,
        kind,
        name: number > 0 ? `${name} ${String(number)}` : name,
        detail: [...details].slice(0, MAX_DETAILS).join(', '),
      };
    });
  }

  /** Services that connected to the edge: NOTIFYs come from presence, everything else from another edge. */
  #inner(entry: TraceEntry, request: SipRequest | undefined): Side {
    const method = request?.method ?? /\r\ncseq[ \t]*:[ \t]*\d+[ \t]+(\S+)/i.exec(entry.octets)?.[1];
    return method === 'NOTIFY'
      ? this.#side('presence', 'presence', NAMES.presence)
      : this.#side('edge another', 'edge', 'Another edge');
  }

  #addAgent(id: string, entry: TraceEntry, request: SipRequest | undefined): void {
    const agent = request?.header('user-agent');
    if (agent !== undefined && agent !== '')
      this.#known.get(id)?.details.add(displayText(agent.slice(0, 80)));
  }

  #side(id: string, kind: LifelineKind, name: string, detail?: string): Side {
    let known = this.#known.get(id);
    if (known === undefined) {
      known = { kind, name, details: new Set() };
      this.#known.set(id, known);
    }
    if (detail !== undefined) known.details.add(detail);
    return { id, kind };
  }
}
