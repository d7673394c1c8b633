import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { unescapeUser } from '@rollcall/sip';
import type { SipUri } from '@rollcall/sip';
import { aorUser, canonicalAor } from './aor.ts';
import type { AorOptions } from './aor.ts';
import type { Aor, Binding } from './model.ts';

/*
 * RFC 5627 without a table. A public GRUU is the AoR with the instance in `gr` (Appendix A.1). A temporary one is a user part that only
 * we can read: the AoR's user, the instance and a generation, encrypted so that nobody else can tell whose it is or whether two of
 * them belong together (§5.1). The generation is that of the instance's bindings (`Binding.gruu`): when it changes, all older
 * temporary GRUUs are void.
 *
 * The encryption is a synthetic IV (RFC 5297 in its idea): the MAC of the text is the IV, so that no counter has to be shared by
 * replicas and no random number may repeat. The text is padded, for its length would tell AoRs apart.
 */

/** What a URI with `gr` names, once it is read. */
export interface ResolvedGruu {
  /** A public GRUU lives as long as its AoR: without bindings it is 480. A temporary one without bindings is void: 404 (RFC 5627 §5.3, §6.1). */
  readonly kind: 'public' | 'temporary';
  readonly aor: Aor;
  /**
   * The bindings that the GRUU stands for, of all the live ones of the AoR, most recently refreshed first: of a device without flows
   * only one is tried at a time, and the next only after 408 or 430 (RFC 5627 §6.1, RFC 5626 §7). Empty: none, or no longer.
   */
  select(bindings: readonly Binding[]): readonly Binding[];
}

const TEMPORARY = 'tgruu.';
const CIPHER = 'aes-256-ctr';
const IV_BYTES = 16;
/** Makes every GRUU another one, whatever it says. */
const SALT_BYTES = 8;
/** Milliseconds since 1970, until the year 10889. */
const GENERATION_BYTES = 6;
const INSTANCE_BYTES = 8;
const USER_AT = SALT_BYTES + GENERATION_BYTES + INSTANCE_BYTES;
const PADDED_TO = 32;
const KEY_LABELS = { mac: 'rollcall temporary gruu mac 1', cipher: 'rollcall temporary gruu cipher 1' };

/** Makes and reads GRUUs (RFC 5627). Pure and the same in every process that has the deployment's secret. */
export class Gruus {
  readonly #macKey: Buffer;
  readonly #cipherKey: Buffer;

  constructor(secret: string) {
    this.#macKey = createHmac('sha256', secret).update(KEY_LABELS.mac).digest();
    this.#cipherKey = createHmac('sha256', secret).update(KEY_LABELS.cipher).digest();
  }

  /** The public GRUU of an instance: a URI without brackets or quotes. The AoR is a `sip:` one. */
  pub(aor: Aor, instance: string): string {
    return `${aor};gr=${escapeValue(bare(instance))}`;
  }

  /** A temporary GRUU of an instance, a new one at each call; `since` is the generation in `Binding.gruu`. */
  temp(aor: Aor, instance: string, since: number): string {
    const user = aorUser(aor);
    const domain = domainOf(aor);
    const text = Buffer.alloc(Math.ceil((USER_AT + user.length) / PADDED_TO) * PADDED_TO);
    randomBytes(SALT_BYTES).copy(text);
    text.writeUIntBE(since, SALT_BYTES, GENERATION_BYTES);
    this.#hashInstance(instance).copy(text, SALT_BYTES + GENERATION_BYTES);
    text.write(user, USER_AT, 'latin1');
    const iv = this.#mac(domain, text);
    const cipher = createCipheriv(CIPHER, this.#cipherKey, iv);
    const token = Buffer.concat([iv, cipher.update(text), cipher.final()]).toString('base64url');
    return `sip:${TEMPORARY}${token}@${domain};gr`;
  }

  /** What a URI names when it is a GRUU of ours; undefined when it has no `gr`, or one that we never gave: the latter is 404 (§6.1). */
  resolve(uri: SipUri, options: AorOptions = {}): ResolvedGruu | undefined {
    if (!uri.params.has('gr')) return undefined;
    const named = uri.params.get('gr') ?? '';
    return named === '' ? this.#resolveTemporary(uri, options) : resolvePublic(uri, named, options);
  }

  #resolveTemporary(uri: SipUri, options: AorOptions): ResolvedGruu | undefined {
    const home = canonicalAor(uri, options);
    if (!home.ok || !aorUser(home.value).startsWith(TEMPORARY)) return undefined;
    const domain = domainOf(home.value);
    const token = Buffer.from(aorUser(home.value).slice(TEMPORARY.length), 'base64url');
    const length = token.length - IV_BYTES;
    if (length < PADDED_TO || length % PADDED_TO !== 0) return undefined;
    const iv = token.subarray(0, IV_BYTES);
    const cipher = createDecipheriv(CIPHER, this.#cipherKey, iv);
    const text = Buffer.concat([cipher.update(token.subarray(IV_BYTES)), cipher.final()]);
    if (!timingSafeEqual(this.#mac(domain, text), iv)) return undefined;
    const end = text.indexOf(0, USER_AT);
    const user = text.toString('latin1', USER_AT, end < 0 ? text.length : end);
    const since = text.readUIntBE(SALT_BYTES, GENERATION_BYTES);
    const instance = text.subarray(SALT_BYTES + GENERATION_BYTES, USER_AT);
    return {
      kind: 'temporary',
      aor: `sip:${user}@${domain}` as Aor,
      select: (bindings) => {
        const own = bindings.filter(
          (binding) =>
            binding.instance !== undefined && this.#hashInstance(binding.instance).equals(instance),
        );
        return gruuGeneration(own) === since ? latestFirst(own) : [];
      },
    };
  }

  #hashInstance(instance: string): Buffer {
    const name = bare(instance).toLowerCase();
    return createHmac('sha256', this.#macKey).update(name, 'latin1').digest().subarray(0, INSTANCE_BYTES);
  }

  #mac(domain: string, text: Buffer): Buffer {
    const mac = createHmac('sha256', this.#macKey).update(`${domain}\0`, 'latin1').update(text).digest();
    return mac.subarray(0, IV_BYTES);
  }
}

/** The generation of temporary GRUUs that is in force for the bindings of one instance; 0 when it has none. */
export function gruuGeneration(bindings: readonly Binding[]): number {
  let generation = 0;
  for (const { gruu } of bindings) if (gruu !== undefined && gruu.since > generation) generation = gruu.since;
  return generation;
}

/** True when two instance ids are of one device: URNs are equal whatever their case (RFC 5626 §4.1, RFC 4122 §3). */
export const sameInstance = (one: string, other: string): boolean =>
  one === other || (one.length === other.length && one.toLowerCase() === other.toLowerCase());

function resolvePublic(uri: SipUri, named: string, options: AorOptions): ResolvedGruu | undefined {
  const aor = canonicalAor(uri, options);
  if (!aor.ok) return undefined;
  const instance = unescapeUser(named);
  return {
    kind: 'public',
    aor: aor.value,
    select: (bindings) =>
      latestFirst(
        bindings.filter((one) => one.instance !== undefined && sameInstance(bare(one.instance), instance)),
      ),
  };
}

const latestFirst = (bindings: readonly Binding[]): readonly Binding[] =>
  [...bindings].sort((a, b) => b.refreshedAt - a.refreshedAt);

const domainOf = (aor: Aor): string => aor.slice(aor.lastIndexOf('@') + 1);

/** The URN within the brackets of `+sip.instance`. */
const bare = (instance: string): string =>
  instance.startsWith('<') && instance.endsWith('>') ? instance.slice(1, -1) : instance;

/** RFC 3261 §25.1 `paramchar` without `escaped`: anything else is escaped in a URI parameter's value. */
const NOT_PARAMCHAR = /[^A-Za-z0-9\-_.!~*'()[\]/:&+$]/g;

const escapeValue = (text: string): string =>
  text.replace(NOT_PARAMCHAR, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
