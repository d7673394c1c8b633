/**
 * Where a request for a URI goes (RFC 3263 §4): transport, address and port, the better choices first, so that the next one
 * is tried when one fails (§4.3).
 */
import type { SipUri } from '@rollcall/sip';
import type { TransportName } from './front.ts';

export interface NextHop {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
  /** The name that a TLS certificate must be for: that of the URI, whatever the DNS says (RFC 5922 §7.3). */
  readonly serverName: string;
}

export interface NaptrRecord {
  readonly order: number;
  readonly preference: number;
  readonly flags: string;
  readonly service: string;
  readonly replacement: string;
}

export interface SrvRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly name: string;
}

/** What is asked of the DNS. No such record is an empty list; no answer is a rejection. */
export interface DnsPort {
  naptr(name: string): Promise<readonly NaptrRecord[]>;
  srv(name: string): Promise<readonly SrvRecord[]>;
  /** IPv4 and IPv6 addresses. */
  addresses(name: string): Promise<readonly string[]>;
}

export interface LocateOptions {
  readonly dns: DnsPort;
  /** Octets of the request: a large one goes over a stream where the choice is ours (RFC 3261 §18.1.1). */
  readonly size: number;
  /** Between 0 and 1; chooses among SRV records of one priority (RFC 2782). */
  readonly random: () => number;
}

/** RFC 3261 §18.1.1: within 200 bytes of the path MTU; 1300 when that is not known. */
const LARGE = 1_300;
/** So many next hops are tried at most; more is somebody's joke. */
const MOST_HOPS = 16;
const PORT: Readonly<Record<'udp' | 'tcp' | 'tls', number>> = { udp: 5060, tcp: 5060, tls: 5061 };
type Transport = keyof typeof PORT;

/** RFC 3263 §4.1 with the services of §9 (IANA "SIP S-NAPTR" keeps these). */
const SERVICES: Readonly<Record<string, Transport>> = {
  'SIP+D2U': 'udp',
  'SIP+D2T': 'tcp',
  'SIPS+D2T': 'tls',
};
const SRV_PREFIX: Readonly<Record<Transport, string>> = {
  udp: '_sip._udp.',
  tcp: '_sip._tcp.',
  tls: '_sips._tcp.',
};

/** How far a URI says by itself where it leads. */
interface Target {
  readonly name: string;
  readonly literal: boolean;
  readonly port: number | undefined;
  /** What the URI asks for; undefined when the choice is ours. */
  readonly transport: Transport | undefined;
  readonly secure: boolean;
}

/**
 * The next hops of a URI whose host is an address; undefined when it has to be looked up. Empty for a transport that no server
 * is reached by, such as a WebSocket (RFC 7118 §5.5 leaves that to the application).
 */
export function literalHops(uri: SipUri, size: number): readonly NextHop[] | undefined {
  const target = targetOf(uri);
  if (target === undefined) return [];
  return target.literal ? hopsAt(target, [target.name], size) : undefined;
}

/** All next hops of a URI. Rejects when the DNS does not answer. */
export async function locate(uri: SipUri, options: LocateOptions): Promise<readonly NextHop[]> {
  const target = targetOf(uri);
  if (target === undefined) return [];
  if (target.literal) return hopsAt(target, [target.name], options.size);
  if (target.port === undefined) {
    const found = await bySrv(target, options);
    if (found.length > 0) return found.slice(0, MOST_HOPS);
  }
  return hopsAt(target, await options.dns.addresses(target.name), options.size).slice(0, MOST_HOPS);
}

function targetOf(uri: SipUri): Target | undefined {
  const maddr = uri.params.get('maddr');
  const host = (maddr !== undefined && maddr !== '' ? maddr : uri.host).toLowerCase();
  const name = host.startsWith('[') ? host.slice(1, -1) : host;
  const asked = uri.params.get('transport')?.toLowerCase();
  const { secure, port } = uri;
  const literal = host.startsWith('[') || IPV4.test(host);
  const base = { name, literal, port, secure };
  if (asked === undefined || asked === '') return { ...base, transport: secure ? 'tls' : undefined };
  // RFC 5630 §3.1.4: SIPS over TCP is TLS, and there is no SIPS over UDP.
  if (asked === 'tls' || (asked === 'tcp' && secure)) return { ...base, transport: 'tls' };
  return !secure && (asked === 'udp' || asked === 'tcp') ? { ...base, transport: asked } : undefined;
}

const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** §4.2 without SRV: the port of the URI or of the transport; UDP unless the request is large, then TCP before it. */
function hopsAt({ name, port, transport }: Target, addresses: readonly string[], size: number): NextHop[] {
  const choices: readonly Transport[] =
    transport !== undefined ? [transport] : size > LARGE ? ['tcp', 'udp'] : ['udp'];
  return choices.flatMap((choice) =>
    addresses.map((address) => ({
      transport: choice,
      address,
      port: port ?? PORT[choice],
      serverName: name,
    })),
  );
}

/** §4.1 and §4.2: NAPTR says which SRV records there are; without it they are asked for by transport. */
async function bySrv(target: Target, { dns, size, random }: LocateOptions): Promise<NextHop[]> {
  const { name, transport, secure } = target;
  const asked: { transport: Transport; name: string }[] = [];
  if (transport === undefined || secure) {
    const records = [...(await dns.naptr(name))].sort(
      (a, b) => a.order - b.order || a.preference - b.preference,
    );
    for (const { flags, service, replacement } of records) {
      const offered = flags.toLowerCase() === 's' ? SERVICES[service.toUpperCase()] : undefined;
      if (offered !== undefined && (!secure || offered === 'tls'))
        asked.push({ transport: offered, name: replacement });
    }
  }
  if (asked.length === 0) {
    const usual: readonly Transport[] = transport === undefined ? ['udp', 'tcp'] : [transport];
    for (const one of usual) asked.push({ transport: one, name: SRV_PREFIX[one] + name });
  }
  if (size > LARGE && transport === undefined)
    asked.sort((a, b) => Number(a.transport === 'udp') - Number(b.transport === 'udp'));
  const hops: NextHop[] = [];
  for (const one of asked) {
    for (const record of inOrder(await dns.srv(one.name), random)) {
      if (hops.length >= MOST_HOPS) return hops;
      for (const address of await dns.addresses(record.name))
        hops.push({ transport: one.transport, address, port: record.port, serverName: name });
    }
  }
  return hops;
}

/** RFC 2782: by priority, within by weight at random. A lone "." says that the service is not there. */
export function inOrder(records: readonly SrvRecord[], random: () => number): SrvRecord[] {
  const left = records.filter(({ name }) => name !== '.' && name !== '');
  left.sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  const ordered: SrvRecord[] = [];
  for (let first = left[0]; first !== undefined; first = left[0]) {
    const { priority } = first;
    const same = left.filter((record) => record.priority === priority);
    let mark = random() * same.reduce((sum, { weight }) => sum + weight, 0);
    const chosen = same.find(({ weight }) => (mark -= weight) <= 0) ?? first;
    ordered.push(chosen);
    left.splice(left.indexOf(chosen), 1);
  }
  return ordered;
}
