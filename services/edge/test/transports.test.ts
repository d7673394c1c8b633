import { loadConfig } from '@rollcall/config';
import { describe, expect, test } from 'vitest';
import { edgeConfig } from '../src/config.ts';
import type { EdgeConfig } from '../src/config.ts';
import { engineProblem } from '../src/engine.ts';
import { reachable, ticketKeys, transportOptions } from '../src/transports.ts';

const config = (env: Readonly<Record<string, string>> = {}): EdgeConfig => {
  const needed = {
    ROLLCALL_SECRET: 'a secret of the tests',
    ROLLCALL_REGISTRARS: 'a:1',
    ROLLCALL_PRESENCES: 'a:2',
  };
  const loaded = loadConfig(edgeConfig, { ...needed, ...env });
  if (!loaded.ok) throw new Error(loaded.error.map(({ key, detail }) => `${key} ${detail}`).join());
  return loaded.value;
};
const listenersOf = (env: Readonly<Record<string, string>>) =>
  transportOptions(config(env)).listeners.map(({ transport, host, port, advertised, advertisedIPv4 }) => ({
    ...{
      at: `${transport} ${host} ${String(port)}`,
      any: advertised?.address,
      ipv4: advertisedIPv4?.address,
    },
  }));

describe('listeners', () => {
  test('UDP and TCP on 5060 unless told otherwise; a wildcard tells an address that others reach', () => {
    const told = reachable('0.0.0.0');
    expect(told).not.toBe('0.0.0.0');
    expect(listenersOf({})).toEqual([
      { at: 'udp 0.0.0.0 5060', any: told, ipv4: undefined },
      { at: 'tcp 0.0.0.0 5060', any: told, ipv4: undefined },
    ]);
  });

  test('E01 on both families each is told an address of its own', () => {
    expect(listenersOf({ ROLLCALL_SIP_UDP: '[::]:5060', ROLLCALL_SIP_TCP: 'off' })).toEqual([
      { at: 'udp :: 5060', any: reachable('::'), ipv4: reachable('0.0.0.0') },
    ]);
    const told = '[::]:5060/[2001:db8::1]/198.51.100.1';
    expect(listenersOf({ ROLLCALL_SIP_UDP: 'off', ROLLCALL_SIP_TCP: told })).toEqual([
      { at: 'tcp :: 5060', any: '2001:db8::1', ipv4: '198.51.100.1' },
    ]);
    // One name for both is what was asked for.
    expect(listenersOf({ ROLLCALL_SIP_UDP: 'off', ROLLCALL_SIP_TCP: '[::]:5060/sip.example.com' })).toEqual([
      { at: 'tcp :: 5060', any: 'sip.example.com', ipv4: undefined },
    ]);
  });

  test('limits and certificates come through', () => {
    const { limits, tls } = transportOptions(
      config({
        ROLLCALL_TLS_CERTIFICATES: '/etc/tls',
        ROLLCALL_IDLE_TIMEOUT: '60',
        ROLLCALL_MAX_CONNECTIONS: '7',
      }),
    );
    expect(limits).toMatchObject({ idleMs: 60_000, maxConnections: 7, handshakeMs: 10_000 });
    expect(tls?.certificates).toEqual([{ certificate: '/etc/tls/tls.crt', key: '/etc/tls/tls.key' }]);
    expect(transportOptions(config()).tls).toBeUndefined();
  });

  test('E09 balancers by address and network', () => {
    const { proxies } = transportOptions(config({ ROLLCALL_PROXY_PROTOCOL_FROM: '10.0.0.0/8,2001:db8::1' }));
    const asked = ['10.1.2.3', '11.1.2.3', '2001:db8::1', '2001:db8::2'];
    expect(asked.map((address) => proxies?.has(address))).toEqual([true, false, true, false]);
    expect(transportOptions(config()).proxies?.has('10.1.2.3')).toBe(false);
  });
});

describe('O06 what contradicts itself, or names what is not there', () => {
  test.each([
    [{ ROLLCALL_SIP_TLS: '0.0.0.0:5061' }, 'ROLLCALL_SIP_TLS wants ROLLCALL_TLS_CERTIFICATES'],
    [{ ROLLCALL_SIP_WSS: '0.0.0.0:443' }, 'ROLLCALL_SIP_WSS wants ROLLCALL_TLS_CERTIFICATES'],
    [
      { ROLLCALL_TLS_CERTIFICATES: 'a:b', ROLLCALL_TLS_CLIENT_CERTIFICATES: 'ask' },
      'ROLLCALL_TLS_CLIENT_CERTIFICATES=ask wants ROLLCALL_TLS_CLIENT_CA',
    ],
    [{ ROLLCALL_SIP_UDP: 'off', ROLLCALL_SIP_TCP: 'off' }, 'every ROLLCALL_SIP_… listener is off'],
    [
      { ROLLCALL_SIP_TLS: '0.0.0.0:5061', ROLLCALL_TLS_CERTIFICATES: '/nowhere/a.pem:/nowhere/a.key' },
      'ROLLCALL_TLS_CERTIFICATES: "/nowhere/a.pem" cannot be read',
    ],
    [
      { ROLLCALL_TLS_SERVER_CA: '/nowhere/ca.pem' },
      'ROLLCALL_TLS_SERVER_CA: "/nowhere/ca.pem" cannot be read',
    ],
    [{ ROLLCALL_TLS_SERVER_CA: import.meta.filename }, undefined],
    [{}, undefined],
  ])('%j', (env, problem) => {
    expect(engineProblem(config(env as Readonly<Record<string, string>>))).toBe(problem);
  });
});

describe('session tickets', () => {
  test('all edges with one secret have the same keys, and others the next day', () => {
    const noon = Date.UTC(2026, 5, 1, 12);
    const keys = ticketKeys('secret', noon);
    expect(keys).toHaveLength(48);
    expect(ticketKeys('secret', noon + 3_600_000)).toEqual(keys);
    expect(ticketKeys('secret', noon + 86_400_000)).not.toEqual(keys);
    expect(ticketKeys('another', noon)).not.toEqual(keys);
  });
});
