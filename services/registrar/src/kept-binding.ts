import { epochMs } from '@rollcall/kernel';
import type { Binding } from '@rollcall/location';

/** The same octets in a string that holds on to no other. */
export type Flatten = <T extends string>(text: T) => T;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * A binding as it is remembered: changed in place, and only where it has changed. A refresh leaves nearly all of its texts as
 * they were, so that it makes nothing that outlives it.
 */
export class KeptBinding {
  #id = '' as Binding['id'];
  #contact = '';
  #params = '';
  #q = NONE;
  #instance: string | undefined;
  #regId = NONE;
  #callId = '';
  #cseq = 0;
  #path: readonly string[] = NO_PATH;
  #userAgent: string | undefined;
  #source: string | undefined;
  #gruu: Binding['gruu'];
  #reachability: Binding['reachability'];
  #registeredAt = NaN;
  #refreshedAt = NaN;
  #expiresAt = NaN;

  keep(binding: Binding, flatten: Flatten): void {
    if (this.#id !== binding.id) this.#id = flatten(binding.id);
    if (this.#contact !== binding.contact) this.#contact = flatten(binding.contact);
    if (this.#params !== binding.params) this.#params = flatten(binding.params);
    if (this.#callId !== binding.callId) this.#callId = flatten(binding.callId);
    if (!isSame(this.#path, binding.path)) this.#path = binding.path.map((value) => flatten(value));
    const { instance, userAgent, source } = binding;
    if (this.#instance !== instance) this.#instance = instance && flatten(instance);
    if (this.#userAgent !== userAgent) this.#userAgent = userAgent && flatten(userAgent);
    if (this.#source !== source) this.#source = source && flatten(source);
    this.#gruu = binding.gruu;
    this.#reachability = binding.reachability;
    this.#q = binding.q ?? NONE;
    this.#regId = binding.regId ?? NONE;
    this.#cseq = binding.cseq;
    this.#registeredAt = binding.registeredAt;
    this.#refreshedAt = binding.refreshedAt;
    this.#expiresAt = binding.expiresAt;
  }

  /** A binding that does not change with this. */
  show(): Binding {
    const binding: Mutable<Binding> = {
      id: this.#id,
      contact: this.#contact,
      params: this.#params,
      callId: this.#callId,
      cseq: this.#cseq,
      path: this.#path,
      registeredAt: epochMs(this.#registeredAt),
      refreshedAt: epochMs(this.#refreshedAt),
      expiresAt: epochMs(this.#expiresAt),
    };
    if (this.#q !== NONE) binding.q = this.#q;
    if (this.#instance !== undefined) binding.instance = this.#instance;
    if (this.#regId !== NONE) binding.regId = this.#regId;
    if (this.#userAgent !== undefined) binding.userAgent = this.#userAgent;
    if (this.#source !== undefined) binding.source = this.#source;
    if (this.#gruu !== undefined) binding.gruu = this.#gruu;
    if (this.#reachability !== undefined) binding.reachability = this.#reachability;
    return binding;
  }
}

/** Octets in the texts of a binding. */
export function textLength({
  id,
  contact,
  params,
  instance,
  callId,
  path,
  userAgent,
  source,
}: Binding): number {
  let length = id.length + contact.length + params.length + callId.length;
  length += (instance?.length ?? 0) + (userAgent?.length ?? 0) + (source?.length ?? 0);
  for (const value of path) length += value.length;
  return length;
}

/** Neither a q nor a reg-id. */
const NONE = -1;
const NO_PATH: readonly string[] = [];

function isSame(path: readonly string[], other: readonly string[]): boolean {
  if (path.length !== other.length) return false;
  for (let at = 0; at < path.length; at++) if (path[at] !== other[at]) return false;
  return true;
}
