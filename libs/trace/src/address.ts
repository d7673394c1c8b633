/** Addresses as packets carry them. */

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** 4 or 16 octets; undefined for what is no IP address. */
export function addressBytes(text: string): Uint8Array | undefined {
  const plain = text.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
  return ipv4(plain) ?? ipv6(plain);
}

function ipv4(text: string): Uint8Array | undefined {
  const parts = IPV4.exec(text)?.slice(1).map(Number);
  return parts?.every((part) => part <= 255) === true ? Uint8Array.from(parts) : undefined;
}

function ipv6(text: string): Uint8Array | undefined {
  // RFC 4291 §2.2 item 3: the last 32 bits may be written as IPv4.
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (tail !== null) {
    const last = ipv4(tail[2] ?? '');
    if (last === undefined) return undefined;
    const hex = [...last].map((octet) => octet.toString(16).padStart(2, '0')).join('');
    return ipv6(`${tail[1] ?? ''}${hex.slice(0, 4)}:${hex.slice(4)}`);
  }
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [left = [], right = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - left.length - right.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...left, ...Array.from({ length: Math.max(missing, 0) }, () => '0'), ...right];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return Uint8Array.from(
    groups.flatMap((group) => {
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 0xff];
    }),
  );
}

const NO_ADDRESS = Uint8Array.of(0, 0, 0, 0);
/** RFC 4291 §2.5.5.2 */
const MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/** Two addresses of one family: an IPv4 address beside an IPv6 one is written as mapped; what is none is 0.0.0.0. */
export function addressPair(a: string, b: string): readonly [Uint8Array, Uint8Array] {
  const [first, second] = [addressBytes(a) ?? NO_ADDRESS, addressBytes(b) ?? NO_ADDRESS];
  return first.length === second.length ? [first, second] : [asIpv6(first), asIpv6(second)];
}

const asIpv6 = (bytes: Uint8Array): Uint8Array =>
  bytes.length === 16 ? bytes : Uint8Array.from([...MAPPED, ...bytes]);
