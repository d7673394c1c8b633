/** Octets as people are shown them. */

/** C0 and C1 controls, DEL, line separators, and what turns the direction of text around. */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * Decodes an octet string as UTF-8 for logs, REST and pages. Octets that are no UTF-8 become U+FFFD; control
 * characters are escaped (`\x1b`, `\u202e`), so that one value is one line and changes nothing around it.
 */
export function displayText(octets: string): string {
  let plain = true;
  for (let i = 0; plain && i < octets.length; i += 1) {
    const code = octets.charCodeAt(i);
    plain = code >= 0x20 && code < 0x7f;
  }
  if (plain) return octets;
  return Buffer.from(octets, 'latin1').toString('utf8').replace(UNPRINTABLE, escapeControl);
}

function escapeControl(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}
