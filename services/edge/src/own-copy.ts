/** A string of its own from octets: a slice would keep the whole message alive that it was cut from. */
export function ownCopy(octets: string): string {
  return Buffer.from(octets, 'latin1').toString('latin1');
}
