import { REFUSALS as EVENT_REFUSALS } from '@rollcall/events';
import { REGISTER_REFUSALS } from '@rollcall/registration';
import type { LifelineKind } from './model.ts';

interface Row {
  readonly status: number;
  readonly rfc: string;
  readonly phrase?: string;
  readonly reason?: string;
}

/** The refusal tables of the inner services, by who answers. */
const TABLES: Partial<Readonly<Record<LifelineKind, Readonly<Record<string, Row>>>>> = {
  registrar: REGISTER_REFUSALS,
  presence: EVENT_REFUSALS,
};

/** The row of an inner service's refusal table: by its label where the service has told it, else the only one that fits the status. */
export function innerRule(
  by: LifelineKind,
  label: string | undefined,
  status: number,
  phrase: string,
): { readonly label: string; readonly section: string } | undefined {
  const table = TABLES[by] ?? {};
  const named = label === undefined ? undefined : table[label];
  if (label !== undefined && named !== undefined) return { label, section: named.rfc };
  const fitting = Object.entries(table).filter(([, row]) => row.status === status);
  const said = fitting.filter(([, row]) => (row.phrase ?? row.reason) === phrase);
  const [only, another] = said.length > 0 ? said : fitting;
  return only === undefined || another !== undefined ? undefined : { label: only[0], section: only[1].rfc };
}

/** What a refusal means to the person who looks for the fault, by the labels of all refusal tables. */
export const REASONS: Readonly<Record<string, string>> = {
  // the edge
  unauthorized: 'The edge wants proof of who asks',
  'proxy-auth': 'The edge wants proof of who asks before it hands the request on',
  'address-banned':
    'Too many wrong passwords, or challenges that nobody answered, came from this network address: it is shut out for some minutes',
  'guess-throttled':
    'Too many wrong passwords were tried for this name: for a minute answers are looked at only from where its user has been before',
  'bad-credentials': 'The Authorization header cannot be read as an answer to a challenge',
  'digest-uri':
    'The uri inside the credentials is not the one that is asked for: something between has rewritten it',
  'bad-route': 'The Route header cannot be read',
  'bad-uri': 'The Request-URI cannot be read',
  'foreign-target': 'The request is for a domain that is not served here',
  'foreign-domain': 'The domain in the Request-URI is not served here: check the domain the phone is set to',
  'foreign-from':
    'From names somebody else than the user who has proved who they are, and the policy refuses that',
  'foreign-route': 'The Route leads elsewhere, and this is no open relay',
  'unknown-user': 'There is no such user',
  'foreign-scheme': 'Only sip:, sips: and tel: addresses are understood',
  'proxy-require': 'The phone demands an extension of the proxy that it does not have',
  'flow-failed': 'The connection that the device had is gone; it is reached again when it registers anew',
  'not-registered': 'No device is registered at this moment',
  'sips-not-allowed': 'The request wants a secure way (sips:), and no device is registered with one',
  'no-dialog': 'There is no call or transaction that this belongs to',
  loop: 'The request has been here before',
  'max-forwards': 'The request has gone over too many hops',
  'store-unavailable':
    'The location store does not answer; nothing was changed, and the phone should try again',
  'inner-unavailable': 'No registrar or presence service could be reached',
  'inner-timeout': 'The registrar or presence service did not answer in time',
  overload: 'The edge has too much to do and sends the phone away for some seconds',
  draining: 'The edge is shutting down; the phone should come back through another',
  failure: 'A fault of the service; the log has the details',
  // the registrar
  malformed: 'The request breaks the grammar of SIP',
  'bad-wildcard': 'Contact: * stands only alone and with Expires: 0',
  'bad-contact': 'A Contact cannot be read, so none of them was applied',
  'insecure-path': 'A sips: Contact wants a sips: Request-URI',
  'contact-loops': 'The Contact leads back to this service, not to a device',
  'contact-scheme': 'A device can be reached at a sip: or sips: address only',
  'several-flows': 'A REGISTER sets up one outbound flow, not several',
  'no-identity': 'The request carries no identity that was proved',
  'not-allowed':
    'The user that was proved may not do this for that address: a grant is missing, or the phone has the wrong account',
  'transport-not-allowed': 'The policy of the domain does not allow this transport',
  'too-many-contacts': 'The address has as many devices as its policy allows',
  'unknown-aor': 'There is no such address-of-record',
  'aor-outside-domain': 'The address in To belongs to another domain than the Request-URI',
  'wrong-method': 'The registrar only takes REGISTER',
  'uri-scheme': 'Only sip:, sips: and tel: addresses can be registered',
  'bad-extension': 'The phone demands an extension that is not supported',
  'outbound-required': 'The policy wants outbound registration (RFC 5626), and the phone does not offer it',
  'push-unsupported': 'The push notification service that the phone names is not served here',
  'interval-too-brief': 'The phone asks for a shorter time than the policy allows',
  'no-outbound-hop': 'The first hop does not support outbound registration',
  'stale-cseq': 'The request is older than one that was applied already (its CSeq is not higher)',
  contended: 'Other requests kept changing the same record',
  fault: 'A fault of the service; the log has the details',
  overloaded: 'Too many requests are waiting',
  // presence
  'no-contact': 'Without a Contact nobody knows where to send the NOTIFY',
  'many-contacts': 'A subscription has one Contact, and the phone names several',
  'contact-no-target': 'Contact * means something in a REGISTER only: no NOTIFY can be sent there',
  'empty-publication': 'A first PUBLISH must carry the state that it publishes',
  'bad-document': 'The body is not a well-formed document of its type',
  'dialog-shared': 'A dialog carries one subscription only',
  'no-such-resource': 'There is no such resource to watch',
  method: 'The presence service does not take this method',
  'not-acceptable': 'The phone accepts no format in which this state can be told',
  'precondition-failed':
    'The published state that is meant has expired or was replaced; the phone publishes it anew',
  'body-too-large': 'The body is over the limit',
  'publications-full': 'As many publications of this address are kept as there may be',
  'extension-required': 'This is told in lists only, and the phone does not say that it takes them',
  'unsupported-body': 'State of this event package is not published in this format',
  'no-subscription': 'The subscription has ended or never was; the phone must subscribe anew',
  'bad-event': 'The event package is unknown or missing',
  'out-of-order': 'The request is older than one that was applied already',
};
