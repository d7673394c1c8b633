import type { Aor } from '@rollcall/location';
import type { SipRequest } from '@rollcall/sip';
import type { Flow } from '@rollcall/sip-transaction';

/** A REGISTER that the registrar has answered 200. */
export interface Registered {
  readonly request: SipRequest;
  readonly flow: Flow;
  /** Our Path URI, as the binding has it first. */
  readonly path: string;
  readonly aor: Aor;
  /** The answer without our Via: octets. */
  readonly answer: string;
}

/** Told of registrations through this edge. None is told when nothing needs to know. */
export type RegisterListener = (registered: Registered) => void;
