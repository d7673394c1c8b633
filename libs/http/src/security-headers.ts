/**
 * On every answer: nothing is sniffed, framed, or told to another site. A page that needs more than nothing overrides the
 * policy with one of its own, without `unsafe-inline`.
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};
