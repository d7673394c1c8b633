import { parseUri } from '@rollcall/sip';
import { describe, expect, it } from 'vitest';
import {
  type DnsPort,
  inOrder,
  literalHops,
  locate,
  type NaptrRecord,
  type SrvRecord,
} from '../src/next-hops.ts';

interface Zone {
  readonly naptr?: Readonly<Record<string, readonly NaptrRecord[]>>;
  readonly srv?: Readonly<Record<string, readonly SrvRecord[]>>;
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
}

const asked: string[] = [];
const dnsOf = (zone: Zone): DnsPort => {
  const find = <T>(kind: string, records: Readonly<Record<string, readonly T[]>> = {}, name: string) => {
    asked.push(`${kind} ${name}`);
    return Promise.resolve(records[name] ?? []);
  };
  return {
    naptr: (name) => find('NAPTR', zone.naptr, name),
    srv: (name) => find('SRV', zone.srv, name),
    addresses: (name) => find('A', zone.addresses, name),
  };
};

const uriOf = (text: string) => {
  const uri = parseUri(text);
  if (!uri.ok || uri.value.kind !== 'sip') throw new Error(text);
  return uri.value;
};

async function check(text: string, zone: Zone, expected: readonly string[], size = 500): Promise<void> {
  asked.length = 0;
  const hops = await locate(uriOf(text), { dns: dnsOf(zone), size, random: () => 0 });
  expect(hops.map(({ transport, address, port }) => `${transport} ${address}:${String(port)}`)).toEqual(
    expected,
  );
  for (const { serverName } of hops)
    expect(serverName).toBe(uriOf(text).params.get('maddr') ?? uriOf(text).host.replace(/[[\]]/g, ''));
}

const srv = (priority: number, weight: number, port: number, name: string): SrvRecord => ({
  priority,
  weight,
  port,
  name,
});
const naptr = (order: number, preference: number, service: string, replacement: string, flags = 's') => ({
  ...{ order, preference, flags, service, replacement },
});

/** The example of RFC 3263 §4.1 and §4.2. */
const EXAMPLE: Zone = {
  naptr: {
    'example.com': [
      naptr(100, 50, 'SIP+D2U', '_sip._udp.example.com'),
      naptr(50, 50, 'SIPS+D2T', '_sips._tcp.example.com'),
      naptr(90, 50, 'SIP+D2T', '_sip._tcp.example.com'),
    ],
  },
  srv: {
    '_sips._tcp.example.com': [srv(0, 1, 5061, 'secure.example.com')],
    '_sip._tcp.example.com': [srv(0, 1, 5060, 'server1.example.com'), srv(1, 2, 5062, 'server2.example.com')],
    '_sip._udp.example.com': [srv(0, 1, 5060, 'server1.example.com')],
  },
  addresses: {
    'example.com': ['192.0.2.9'],
    'secure.example.com': ['192.0.2.1'],
    'server1.example.com': ['192.0.2.2', '2001:db8::2'],
    'server2.example.com': ['192.0.2.3'],
  },
};

describe('RFC 3263 §4.1: the transport', () => {
  it('a literal address: UDP, or TLS for SIPS; nothing is asked', async () => {
    await check('sip:a@192.0.2.7', {}, ['udp 192.0.2.7:5060']);
    await check('sip:a@[2001:db8::7]:5080', {}, ['udp 2001:db8::7:5080']);
    await check('sips:a@192.0.2.7', {}, ['tls 192.0.2.7:5061']);
    await check('sips:a@192.0.2.7;transport=tcp', {}, ['tls 192.0.2.7:5061']);
    await check('sip:a@192.0.2.7;transport=TCP', {}, ['tcp 192.0.2.7:5060']);
    await check('sip:a@192.0.2.7;transport=tls', {}, ['tls 192.0.2.7:5061']);
    expect(asked).toEqual([]);
    expect(literalHops(uriOf('sip:example.com'), 0)).toBeUndefined();
  });

  it('what no server listens for, or what contradicts itself, leads nowhere', async () => {
    await check('sip:a@example.com;transport=ws', EXAMPLE, []);
    await check('sips:a@example.com;transport=udp', EXAMPLE, []);
    await check('sip:a@192.0.2.7;transport=sctp', EXAMPLE, []);
    expect(literalHops(uriOf('sip:a@192.0.2.7;transport=ws'), 0)).toEqual([]);
  });

  it('NAPTR by order, then the SRV records of each, then their addresses', async () => {
    await check('sip:a@example.com', EXAMPLE, [
      'tls 192.0.2.1:5061',
      'tcp 192.0.2.2:5060',
      'tcp 2001:db8::2:5060',
      'tcp 192.0.2.3:5062',
      'udp 192.0.2.2:5060',
      'udp 2001:db8::2:5060',
    ]);
  });

  it('SIPS takes only what is secure', async () => {
    await check('sips:a@example.com', EXAMPLE, ['tls 192.0.2.1:5061']);
  });

  it('a transport that is asked for needs no NAPTR', async () => {
    await check('sip:a@example.com;transport=tcp', EXAMPLE, [
      'tcp 192.0.2.2:5060',
      'tcp 2001:db8::2:5060',
      'tcp 192.0.2.3:5062',
    ]);
    expect(asked.filter((one) => one.startsWith('NAPTR'))).toEqual([]);
  });

  it('NAPTR of other services and other flags count for nothing', async () => {
    const zone = {
      ...EXAMPLE,
      naptr: { 'example.com': [naptr(1, 1, 'E2U+sip', 'x'), naptr(1, 1, 'SIP+D2T', 'y', 'u')] },
    };
    await check('sip:a@example.com', zone, [
      'udp 192.0.2.2:5060',
      'udp 2001:db8::2:5060',
      'tcp 192.0.2.2:5060',
      'tcp 2001:db8::2:5060',
      'tcp 192.0.2.3:5062',
    ]);
  });
});

describe('RFC 3263 §4.2: port and address', () => {
  it('a port: addresses of the name itself', async () => {
    await check('sip:a@example.com:5090', EXAMPLE, ['udp 192.0.2.9:5090']);
    await check('sips:a@example.com:5090', EXAMPLE, ['tls 192.0.2.9:5090']);
    expect(asked).toEqual(['A example.com']);
  });
  it('no SRV anywhere: addresses of the name, default transport and port', async () => {
    const zone = { addresses: EXAMPLE.addresses ?? {} };
    await check('sip:a@example.com', zone, ['udp 192.0.2.9:5060']);
    await check('sips:a@example.com', zone, ['tls 192.0.2.9:5061']);
    await check('sip:a@nowhere.test', zone, []);
  });
  it('maddr stands in for the host (RFC 3261 §19.1.1)', async () => {
    await check('sip:a@example.com;maddr=192.0.2.77', EXAMPLE, ['udp 192.0.2.77:5060']);
  });
  it('a large request goes over a stream where the choice is ours (RFC 3261 §18.1.1)', async () => {
    await check('sip:a@192.0.2.7', {}, ['tcp 192.0.2.7:5060', 'udp 192.0.2.7:5060'], 1_400);
    await check('sip:a@192.0.2.7;transport=udp', {}, ['udp 192.0.2.7:5060'], 1_400);
    const zone = { srv: EXAMPLE.srv ?? {}, addresses: EXAMPLE.addresses ?? {} };
    await check(
      'sip:a@example.com',
      zone,
      [
        'tcp 192.0.2.2:5060',
        'tcp 2001:db8::2:5060',
        'tcp 192.0.2.3:5062',
        'udp 192.0.2.2:5060',
        'udp 2001:db8::2:5060',
      ],
      1_400,
    );
  });
  it('a zone that answers with hundreds is cut', async () => {
    const many = Array.from({ length: 200 }, (_, i) => srv(i, 1, 5060 + i, 'server1.example.com'));
    const hops = await locate(uriOf('sip:a@example.com;transport=tcp'), {
      ...{ size: 0, random: () => 0 },
      dns: dnsOf({ ...EXAMPLE, srv: { '_sip._tcp.example.com': many } }),
    });
    expect(hops).toHaveLength(16);
  });
  it('a DNS that does not answer is a rejection, not "no such name"', async () => {
    const dns = { ...dnsOf({}), srv: () => Promise.reject(new Error('ETIMEOUT')) };
    await expect(locate(uriOf('sip:a@example.com'), { dns, size: 0, random: () => 0 })).rejects.toThrow(
      'ETIMEOUT',
    );
  });
});

describe('RFC 2782: the order of SRV records', () => {
  it('by priority; the lone "." is no server', () => {
    const names = inOrder([srv(2, 0, 1, 'c'), srv(1, 0, 1, 'b'), srv(0, 0, 1, 'a')], () => 0.5).map(
      ({ name }) => name,
    );
    expect(names).toEqual(['a', 'b', 'c']);
    expect(inOrder([srv(0, 0, 0, '.')], () => 0)).toEqual([]);
  });
  it('by weight: 3 of 4 first choices fall on the one with 3 times the weight', () => {
    let first = 0;
    for (let i = 0; i < 400; i += 1) {
      if (
        inOrder([srv(0, 25, 1, 'small'), srv(0, 75, 1, 'large')], () => (i + 0.5) / 400)[0]?.name === 'large'
      )
        first += 1;
    }
    expect(first).toBe(300);
  });
});
