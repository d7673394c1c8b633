/**
 * Character classes of RFC 3261 §25.1, one bit for each, in one table of 256 octets.
 *
 * Facts: messages are octet strings (one char for one octet), so that `raw.charCodeAt(i)` indexes the table;
 * past the end of a string `charCodeAt` gives NaN, which is in no class.
 */
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const DIGITS = '0123456789';
const MARK = "-_.!~*'()";

export const ALPHA = 1 << 0;
export const DIGIT = 1 << 1;
export const HEXDIG = 1 << 2;
/** token = 1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~" ) */
export const TOKEN = 1 << 3;
/** unreserved / user-unreserved; `escaped` is checked apart */
export const USER = 1 << 4;
/** unreserved / "&" / "=" / "+" / "$" / "," */
export const PASSWORD = 1 << 5;
/** paramchar without `escaped`: param-unreserved / unreserved */
export const PARAM = 1 << 6;
/** hnv-unreserved / unreserved, with "=" and "&" that hold the headers of a URI together */
export const HEADERS = 1 << 7;
/** uric: reserved / unreserved, and "[" "]" of an IPv6 authority (RFC 2732) */
export const URIC = 1 << 8;
/** word, as in Call-ID */
export const WORD = 1 << 9;
/** gen-value without quotes: token / host, where a host may be an IPv6 reference */
export const VALUE = 1 << 10;
/** qdtext: what stands unescaped in a quoted-string; HTAB and SP are its LWS */
export const QDTEXT = 1 << 11;
/** What an unquoted display name is taken with: all but what ends a value, quotes and begins an address */
export const DISPLAY = 1 << 12;
/** digits, "*", "#", hex letters and visual separators of a telephone number (RFC 3966 §3) */
export const PHONE = 1 << 13;

/** SP and HTAB */
export const WSP = 1 << 14;
/** What may stand between angle brackets: everything visible but ">" */
export const BRACKETED = 1 << 15;

/** The classes of each octet; for the loops that look at every octet of a message. */
export const CLASSES = new Uint16Array(256);

function mark(flag: number, characters: string): void {
  for (let i = 0; i < characters.length; i += 1) {
    const code = characters.charCodeAt(i);
    CLASSES[code] = (CLASSES[code] ?? 0) | flag;
  }
}

mark(ALPHA, LETTERS);
mark(DIGIT, DIGITS);
mark(HEXDIG, `${DIGITS}abcdefABCDEF`);
mark(TOKEN, `${LETTERS}${DIGITS}-.!%*_+\`'~`);
mark(USER, `${LETTERS}${DIGITS}${MARK}&=+$,;?/`);
mark(PASSWORD, `${LETTERS}${DIGITS}${MARK}&=+$,`);
mark(PARAM, `${LETTERS}${DIGITS}${MARK}[]/:&+$`);
mark(HEADERS, `${LETTERS}${DIGITS}${MARK}[]/?:+$=&`);
mark(URIC, `${LETTERS}${DIGITS}${MARK};/?:@&=+$,[]`);
mark(WORD, `${LETTERS}${DIGITS}-.!%*_+\`'~()<>:\\"/[]?{}`);
mark(VALUE, `${LETTERS}${DIGITS}-.!%*_+\`'~[]:`);
mark(PHONE, `${DIGITS}abcdefABCDEF*#-.()`);
for (let code = 0x20; code < 0x100; code += 1) {
  if (code === 0x7f) continue;
  const character = String.fromCharCode(code);
  if (character !== '"' && character !== '\\') mark(QDTEXT, character);
  if (character !== '>') mark(BRACKETED, character);
  if (!'",:;<>\\'.includes(character)) mark(DISPLAY, character);
}
mark(QDTEXT, '\t');
mark(DISPLAY, '\t');
mark(WSP, ' \t');

/** True when the octet is in one of the classes of `flags`. */
export const isIn = (code: number, flags: number): boolean => ((CLASSES[code] ?? 0) & flags) !== 0;

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const DQUOTE = 0x22;
export const PERCENT = 0x25;
export const STAR = 0x2a;
export const PLUS = 0x2b;
export const COMMA = 0x2c;
export const HYPHEN = 0x2d;
export const DOT = 0x2e;
export const SLASH = 0x2f;
export const ZERO = 0x30;
export const COLON = 0x3a;
export const SEMI = 0x3b;
export const LAQUOT = 0x3c;
export const EQUAL = 0x3d;
export const RAQUOT = 0x3e;
export const QUESTION = 0x3f;
export const AT = 0x40;
export const LBRACKET = 0x5b;
export const BACKSLASH = 0x5c;
export const RBRACKET = 0x5d;
export const UNDERSCORE = 0x5f;
export const DEL = 0x7f;

/** True for SP and HTAB. */
export const isWsp = (code: number): boolean => code === SP || code === HTAB;

/** For each octet of a token the same in lower case, 0 for the others: header names are folded while they are scanned. */
export const FOLDED_TOKEN = new Uint8Array(256);
for (let code = 0; code < 256; code += 1) {
  if (isIn(code, TOKEN)) FOLDED_TOKEN[code] = code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
}
