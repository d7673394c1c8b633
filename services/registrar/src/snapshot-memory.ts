import { BoundedMap, epochMs } from '@rollcall/kernel';
import type { Aor, Binding, BindingId, LocationSnapshot } from '@rollcall/location';

/** What is remembered of one AoR. Changed in place: a refresh costs no entry in the map. */
interface Memory {
  version: number;
  text: string;
}

/** Fields of a binding in `text`, each on a line of its own; none of them can hold a line end. */
const FIELDS = 14;
/** A Path value has no tab: a header value is unfolded before it is read. */
const PATH_JOINT = '\t';
const WORK_BYTES = 65_536;

/**
 * The bindings that this replica has last seen of each AoR: they may be behind the store, never ahead of it.
 *
 * Each AoR is one flat string. Bindings as objects would be a dozen heap objects that outlive the request that made them, and
 * their strings would be slices that keep the whole chunk read from the socket in memory.
 */
export class SnapshotMemory {
  readonly #memories: BoundedMap<Aor, Memory>;
  /** Where text is flattened. */
  readonly #work = Buffer.allocUnsafeSlow(WORK_BYTES);

  constructor(limit: number) {
    this.#memories = new BoundedMap(limit);
  }

  get size(): number {
    return this.#memories.size;
  }

  get limit(): number {
    return this.#memories.limit;
  }

  recall(aor: Aor): LocationSnapshot | undefined {
    const memory = this.#memories.peek(aor);
    return memory === undefined
      ? undefined
      : { version: memory.version, bindings: readBindings(memory.text) };
  }

  /** A version of 0 means that there is no record: nothing is remembered. */
  remember(aor: Aor, version: number, bindings: readonly Binding[]): void {
    const text = version === 0 ? '' : this.#flat(printBindings(bindings));
    if (text === '') {
      this.#memories.delete(aor);
      return;
    }
    const memory = this.#memories.peek(aor);
    if (memory === undefined) this.#memories.set(this.#flat(aor) as Aor, { version, text });
    else {
      memory.version = version;
      memory.text = text;
    }
  }

  forget(aor: Aor): void {
    this.#memories.delete(aor);
  }

  /** The same octets in a string that holds on to no other; '' for what is too long to be worth remembering. */
  #flat(text: string): string {
    if (text.length > WORK_BYTES) return '';
    return this.#work.toString('latin1', 0, this.#work.write(text, 'latin1'));
  }
}

/** A time is six octets of seven bits, the highest bit set so that none is a line end; numbers of this size print slowly. */
const TIME_OCTETS = 6;
const SEVEN = 128;

const octet = (bits: number): number => SEVEN | (bits & (SEVEN - 1));

function timeText(time: number): string {
  const low = time % 2 ** 21;
  const high = (time - low) / 2 ** 21;
  return String.fromCharCode(
    octet(high >> 14),
    octet(high >> 7),
    octet(high),
    octet(low >> 14),
    octet(low >> 7),
    octet(low),
  );
}

function readTime(text: string): number {
  let time = 0;
  for (let at = 0; at < TIME_OCTETS; at++) time = time * SEVEN + (text.charCodeAt(at) & (SEVEN - 1));
  return time;
}

function printBindings(bindings: readonly Binding[]): string {
  let text = '';
  for (const binding of bindings) {
    text +=
      `${binding.id}\n${binding.contact}\n${binding.params}\n${binding.q?.toString() ?? ''}\n` +
      `${binding.instance ?? ''}\n${binding.regId?.toString() ?? ''}\n${binding.callId}\n${binding.cseq.toString()}\n` +
      `${binding.path.length === 1 ? (binding.path[0] ?? '') : binding.path.join(PATH_JOINT)}\n` +
      `${binding.userAgent ?? ''}\n${binding.source ?? ''}\n` +
      `${timeText(binding.registeredAt)}\n${timeText(binding.refreshedAt)}\n${timeText(binding.expiresAt)}\n`;
  }
  return text;
}

function readBindings(text: string): Binding[] {
  const lines = text.split('\n');
  const bindings: Binding[] = [];
  for (let at = 0; at + FIELDS <= lines.length; at += FIELDS) bindings.push(readBinding(lines, at));
  return bindings;
}

function readBinding(lines: readonly string[], at: number): Binding {
  const field = (index: number): string => lines[at + index] ?? '';
  const time = (index: number): Binding['expiresAt'] => epochMs(readTime(field(index)));
  const q = field(3);
  const instance = field(4);
  const regId = field(5);
  const path = field(8);
  const userAgent = field(9);
  const source = field(10);
  return {
    id: field(0) as BindingId,
    contact: field(1),
    params: field(2),
    ...(q === '' ? {} : { q: Number(q) }),
    ...(instance === '' ? {} : { instance }),
    ...(regId === '' ? {} : { regId: Number(regId) }),
    callId: field(6),
    cseq: Number(field(7)),
    path: path === '' ? [] : path.split(PATH_JOINT),
    ...(userAgent === '' ? {} : { userAgent }),
    ...(source === '' ? {} : { source }),
    registeredAt: time(11),
    refreshedAt: time(12),
    expiresAt: time(13),
  };
}
