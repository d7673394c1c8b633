/*
 * RFC 3966 §3
 *   telephone-subscriber = global-number / local-number
 *   global-number-digits = "+" *phonedigit DIGIT *phonedigit
 *   local-number-digits  = *phonedigit-hex (HEXDIG / "*" / "#")*phonedigit-hex
 *   visual-separator     = "-" / "." / "(" / ")"
 * Departure: a local number here has no hex letters, because phones write `user=phone` behind names too, and `bad.cafe`
 * is more often a person than a number.
 */

/** A telephone number with its parameters, names in lower case. */
export interface Subscriber {
  readonly number: string;
  readonly params: ReadonlyMap<string, string | undefined>;
}

/** Parameters that belong to the number's identity (RFC 3966 §4), in the order that RFC 3261 §19.1.6 asks for. */
const IDENTIFYING = ['isub', 'ext', 'phone-context'] as const;

const GLOBAL = /^\+[0-9]+$/;
const LOCAL = /^[0-9*#]+$/;
const SEPARATORS = /[-.()]/g;

/** True when a user part begins like a global number and holds nothing else before its parameters. */
export function isGlobalNumber(user: string): boolean {
  if (user.charCodeAt(0) !== 0x2b) return false;
  const end = user.indexOf(';');
  return GLOBAL.test((end < 0 ? user : user.slice(0, end)).replace(SEPARATORS, ''));
}

/** The telephone-subscriber that a user part holds (RFC 3261 §19.1.6). */
export function splitSubscriber(user: string): Subscriber {
  const [number = '', ...rest] = user.split(';');
  const params = new Map<string, string | undefined>();
  for (const param of rest) {
    const equals = param.indexOf('=');
    if (equals < 0) params.set(param.toLowerCase(), undefined);
    else params.set(param.slice(0, equals).toLowerCase(), param.slice(equals + 1));
  }
  return { number: number.replaceAll('%23', '#'), params };
}

/**
 * The one spelling of a number: no visual separators (§5.1.1), only the parameters that identify it, in one order and case.
 * `home` is a domain whose local numbers need no context. Undefined when it is no number. `#` is escaped, as a user part wants.
 */
export function canonicalSubscriber(subscriber: Subscriber, home?: string): string | undefined {
  const digits = subscriber.number.replace(SEPARATORS, '');
  if (!GLOBAL.test(digits) && !LOCAL.test(digits)) return undefined;
  let text = digits.replaceAll('#', '%23');
  for (const name of IDENTIFYING) {
    const value = subscriber.params.get(name)?.toLowerCase();
    if (value === undefined || (name === 'phone-context' && value === home)) continue;
    text += `;${name}=${NUMBER_VALUE.test(value) ? value.replace(SEPARATORS, '') : value}`;
  }
  return text;
}

/** A parameter value that is itself a number: `ext=12-34`, `phone-context=+1-914`; a domain keeps its dots. */
const NUMBER_VALUE = /^\+?[0-9-.()]+$/;
