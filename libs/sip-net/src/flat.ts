/**
 * A string that is kept for long must be one piece. V8 makes a concatenation a tree of its parts and a slice a window on its
 * whole, so that a key of sixty octets, built from a branch cut out of a message, would keep the message alive. Reading one
 * character makes V8 replace such a tree by a flat copy. Returns the same string.
 */
export function flat(text: string): string {
  text.charCodeAt(0);
  return text;
}
