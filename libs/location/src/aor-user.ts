/*
 * RFC 3261 §25.1
 *   user            = 1*( unreserved / escaped / user-unreserved )
 *   user-unreserved = "&" / "=" / "+" / "$" / "," / ";" / "?" / "/"
 *   unreserved      = alphanum / mark
 *   mark            = "-" / "_" / "." / "!" / "~" / "*" / "'" / "(" / ")"
 */
const PLAIN = plainTable("-_.!~*'()&=+$,;?/");

function plainTable(marks: string): Uint8Array {
  const table = new Uint8Array(256);
  const alphanum = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  for (const char of alphanum + marks) table[char.charCodeAt(0)] = 1;
  return table;
}

const HEX = '0123456789ABCDEF';

/**
 * The one spelling of a user part: what may stand unescaped does (§10.3 step 5), everything else is escaped in upper case,
 * octets that a lenient parser let through included. Undefined when a `%` is not followed by two hex digits.
 */
export function canonicalUser(user: string): string | undefined {
  for (let index = 0; index < user.length; index++) {
    if (PLAIN[user.charCodeAt(index)] !== 1) return rewriteUser(user);
  }
  return user;
}

function rewriteUser(user: string): string | undefined {
  let written = '';
  for (let index = 0; index < user.length; index++) {
    let octet = user.charCodeAt(index);
    if (octet === 0x25) {
      octet = hexOctet(user, index + 1);
      if (octet < 0) return undefined;
      index += 2;
    }
    written +=
      PLAIN[octet] === 1 ? String.fromCharCode(octet) : `%${HEX[octet >> 4] ?? ''}${HEX[octet & 15] ?? ''}`;
  }
  return written;
}

function hexOctet(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at));
  const low = hexDigit(text.charCodeAt(at + 1));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
