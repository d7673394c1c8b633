import type { Binding, BindingChange } from '@rollcall/location';
import type { RegisterIntent } from './read-register.ts';
import { refuse } from './refusals.ts';
import type { Refusal } from './refusals.ts';

/** The new state that a request comes to; without changes it is the old one. */
export interface Draft {
  readonly kind: 'draft';
  readonly bindings: readonly Binding[];
  readonly changes: readonly BindingChange[];
  /** RFC 5626 was applied. */
  readonly outbound: boolean;
  readonly pushServices: readonly string[];
}

/** Every Contact of the request is already as this very request made it. */
export interface Repeated {
  readonly kind: 'repeated';
  readonly outbound: boolean;
  readonly pushServices: readonly string[];
}

/** RFC 3261 §10.3 steps 6 and 7: under one Call-ID only a higher CSeq changes a binding. */
export function staleCseq(intent: RegisterIntent, binding: Binding): Refusal {
  return refuse(
    'stale-cseq',
    `CSeq ${intent.cseq.toString()} after ${binding.cseq.toString()} of the same Call-ID`,
  );
}
