import type { SipRequest } from '@rollcall/sip';

const Q_ONE = 1_000;

/**
 * The Contact lines of a REGISTER with no interval above `longest` seconds, and the Expires header to go with them; undefined for a
 * REGISTER that adds nothing (a query, a removal of all) or that cannot be read, which is left to the registrar.
 */
export function shortened(request: SipRequest, longest: number): string | undefined {
  const contacts = request.contacts();
  if (!contacts.ok || contacts.value.kind !== 'list') return undefined;
  const expires = request.expires();
  const usual = expires.ok && expires.value !== undefined ? Math.min(expires.value, longest) : longest;
  let lines = `Expires: ${String(usual)}\r\n`;
  for (const contact of contacts.value.contacts) {
    const q = contact.q === undefined ? '' : `;q=${qvalue(contact.q)}`;
    const own = contact.expires === undefined ? usual : Math.min(contact.expires, longest);
    lines += `Contact: <${contact.uriText}>${contact.paramsText}${q};expires=${String(own)}\r\n`;
  }
  return lines;
}

/** RFC 3261 §25.1: at most three digits behind the point. */
const qvalue = (thousandths: number): string =>
  thousandths >= Q_ONE ? '1' : (thousandths / Q_ONE).toString();
