/** Methods of the IANA registry "SIP Parameters", each with its RFC. */
export const METHODS = {
  ACK: 'RFC 3261',
  BYE: 'RFC 3261',
  CANCEL: 'RFC 3261',
  INFO: 'RFC 6086',
  INVITE: 'RFC 3261',
  MESSAGE: 'RFC 3428',
  NOTIFY: 'RFC 6665',
  OPTIONS: 'RFC 3261',
  PRACK: 'RFC 3262',
  PUBLISH: 'RFC 3903',
  REFER: 'RFC 3515',
  REGISTER: 'RFC 3261',
  SUBSCRIBE: 'RFC 6665',
  UPDATE: 'RFC 3311',
} as const;

export type Method = keyof typeof METHODS;

/** True for a method of the registry; methods are case-sensitive (RFC 3261 §7.1). */
export const isMethod = (method: string): method is Method => Object.hasOwn(METHODS, method);

const NAMES = Object.keys(METHODS).sort((a, b) => Number(b === 'REGISTER') - Number(a === 'REGISTER'));

/** The method in `raw[0, end)`; for those of the registry always the same string, which engines compare at once. */
export function methodAtStart(raw: string, end: number): string {
  for (const name of NAMES) if (name.length === end && raw.startsWith(name)) return name;
  return raw.slice(0, end);
}
