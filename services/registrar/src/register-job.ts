import type { Policy } from '@rollcall/location';
import type { IsUnreachable, RefusalLabel, RegisterIntent } from '@rollcall/registration';
import type { SipRequest } from '@rollcall/sip';

/** `refusal`: the label of the row by which the message refuses. */
export type Reply = (message: string, refusal?: RefusalLabel) => void;

/** A REGISTER on its way through the registrar. */
export class RegisterJob {
  /** Of the same AoR, and to be carried out after this one. */
  next: RegisterJob | undefined = undefined;
  /** The last of the line of which this is the first; undefined when nobody waits. */
  last: RegisterJob | undefined = undefined;
  /** Where the line is kept, and the first of another line that is kept there. */
  place = 0;
  neighbour: RegisterJob | undefined = undefined;
  /** Commits that conflicted. */
  conflicts = 0;
  /** The identity that acts under a grant; undefined for the owner. */
  thirdParty: string | undefined = undefined;
  /** Which bindings lead nowhere, once the edges have been asked. */
  isUnreachable: IsUnreachable | undefined = undefined;

  constructor(
    readonly request: SipRequest,
    readonly reply: Reply,
    public intent: RegisterIntent,
    public policy: Policy,
    readonly trace: string | undefined,
  ) {}
}
