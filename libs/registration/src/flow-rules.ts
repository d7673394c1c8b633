import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import type { Policy } from '@rollcall/location';
import type { ContactIntent, RegisterIntent } from './read-register.ts';
import { refuse } from './refusals.ts';
import type { Refusal } from './refusals.ts';

/** How RFC 5626 §6 applies to a request. */
export interface FlowRules {
  /** A Contact with a reg-id is about the binding of its instance and reg-id, whatever its URI. */
  readonly byFlow: boolean;
  /** The answer carries `Require: outbound`: the device supports it, and so does all in between. */
  readonly outbound: boolean;
  /** reg-ids are ignored, because the first hop knows nothing of flows. */
  readonly ignoreRegIds: boolean;
}

const PLAIN = ok<FlowRules>({ byFlow: false, outbound: false, ignoreRegIds: false });
const IGNORED = ok<FlowRules>({ byFlow: false, outbound: false, ignoreRegIds: true });

/** Whether and how outbound applies, and what it refuses (RFC 5626 §6). */
export function flowRules(
  intent: RegisterIntent,
  contacts: readonly ContactIntent[],
  policy: Policy,
): Result<FlowRules, Refusal> {
  if (policy.outbound === 'ignored') return PLAIN;
  const hop = intent.outboundHop && policy.path !== 'off';
  if (!contacts.some(hasRegId)) return policy.outbound === 'required' ? demand(contacts) : PLAIN;
  const kept = contacts.filter((contact) => contact.expires !== 0);
  if (kept.length > 1 && kept.some(hasRegId))
    return err(refuse('several-flows', 'more than one Contact, and one of them has a reg-id'));
  if (kept.some(hasRegId) && intent.supportsOutbound && !hop)
    return err(refuse('no-outbound-hop', 'the first hop has not put ;ob into its Path'));
  if (policy.outbound === 'required' && !(hop && intent.supportsOutbound && kept.every(hasRegId)))
    return demand(contacts);
  return hop ? ok({ byFlow: true, outbound: intent.supportsOutbound, ignoreRegIds: false }) : IGNORED;
}

const hasRegId = (contact: ContactIntent): boolean => contact.regId !== undefined;

/** Local policy that RFC 5626 §6 allows; what only removes is let through. */
function demand(contacts: readonly ContactIntent[]): Result<FlowRules, Refusal> {
  if (contacts.every((contact) => contact.expires === 0)) return PLAIN;
  return err(
    refuse('outbound-required', 'a flow of its own is demanded of each device', 'Require: outbound\r\n'),
  );
}
