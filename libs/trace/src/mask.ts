/*
 * What a trace must not tell: whoever reads it could try passwords against the answer of a digest, or use a token. What is masked
 * keeps its length, so that Content-Length, offsets and packet sizes stay true. A nonce is no secret (RFC 7616 §5.4).
 */

const MASK = 'x';
const masked = (text: string): string => MASK.repeat(text.length);

/** Lines whose value holds credentials (RFC 3261 §20.7, §20.28), with their folded ones. */
const CREDENTIALS = /\r\n(?:proxy-)?authorization[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*/gi;
/** The parameters of a digest that are made with the password. */
const DIGEST_ANSWER = /\b(response|rspauth)([ \t]*=[ \t]*"?)([^",\s]*)/gi;
/** Everything of another scheme: Basic (RFC 7617), Bearer (RFC 8898). */
const OTHER_SCHEME = /^(\r\n[^:]*:[ \t]*(?!digest\b)[^\s]+[ \t]+)([^]*)$/i;
const AUTHENTICATION_INFO = /\r\n(?:proxy-)?authentication-info[ \t]*:[^\r\n]*/gi;
/** Keys of SDES media encryption in a session description (RFC 4568 §6.1). */
const MEDIA_KEY = /(\r\na=crypto:[^\r\n]*?inline:)([^\r\n]*)/gi;

const maskDigest = (line: string): string =>
  line.replace(
    DIGEST_ANSWER,
    (_all, name: string, equals: string, value: string) => name + equals + masked(value),
  );

function maskLine(line: string): string {
  const other = OTHER_SCHEME.exec(line);
  if (other === null) return maskDigest(line);
  const [, start = '', value = ''] = other;
  return start + value.replace(/\S/g, MASK);
}

/** A message as it may be shown: the same octets, except for those of its credentials. */
export function maskCredentials(octets: string): string {
  return octets
    .replace(CREDENTIALS, maskLine)
    .replace(AUTHENTICATION_INFO, maskDigest)
    .replace(MEDIA_KEY, (_all, start: string, key: string) => start + masked(key));
}
