/** Packages that presence serves wherever it runs; `ua-profile` only where devices have profiles (RFC 6080). */
const PACKAGES = 'presence, reg, message-summary, dialog, as-feature-event';
/** What PUBLISH and SUBSCRIBE may carry, and what calls do. */
const BODIES = [
  'application/sdp',
  'application/pidf+xml',
  'application/dialog-info+xml',
  'application/simple-message-summary',
  'application/x-as-feature-event+xml',
  'application/resource-lists+xml',
];
const METHODS =
  'REGISTER, SUBSCRIBE, PUBLISH, NOTIFY, INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, REFER, INFO, UPDATE, PRACK';

/** What any OPTIONS that ends here is told. RFC 3261 §11.2: a proxy is method agnostic and leaves Allow out. */
export const AS_PROXY =
  `Accept: ${BODIES.join(', ')}\r\nAccept-Encoding: identity\r\nAccept-Language: en\r\n` +
  'Supported: path, outbound, gruu, eventlist, recipient-list-subscribe\r\n';

/**
 * Header lines of the 200 to an OPTIONS for the edge or a domain (RFC 3261 §11.2, RFC 5367 §5); who notifies names its packages
 * (RFC 6665 §4.4.4), which a proxy must not.
 */
export const capabilities = (profiles: boolean): string =>
  `Allow: ${METHODS}\r\nAllow-Events: ${PACKAGES}${profiles ? ', ua-profile' : ''}\r\n${AS_PROXY}`;
