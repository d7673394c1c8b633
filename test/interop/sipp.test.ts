import { createServer, type AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { TestSystem } from '@rollcall/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from './tools.ts';

/** Users of one run, each with its line in SIPp's injection file. */
const USERS = 20;
const accounts = Array.from({ length: USERS }, (_, index) => ({
  user: `sipp${index}`,
  password: `pass-${index}`,
}));

let system: TestSystem;
let folder: string;
beforeAll(async () => {
  // SIPp 3.6 knows MD5 only and reads the first challenge alone.
  system = await TestSystem.start({
    accounts,
    replicas: { registrar: 2, presence: 2 },
    // Its digest uri is one for all users, so that it names the domain and not each Request-URI.
    env: { edge: { ROLLCALL_DIGEST_ALGORITHMS: 'MD5', ROLLCALL_DIGEST_URI: 'served' } },
  });
  folder = mkdtempSync(join(tmpdir(), 'rollcall-sipp-'));
  const rows = accounts.map(
    ({ user, password }) => `${user};[authentication username=${user} password=${password}];${system.domain}`,
  );
  writeFileSync(join(folder, 'users.csv'), `SEQUENTIAL\n${rows.join('\n')}\n`);
});
afterAll(async () => {
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

const scenario = (name: string) => fileURLToPath(new URL(`./sipp/${name}.xml`, import.meta.url));

/**
 * Debian builds SIPp without TLS: it speaks TCP to this relay, which speaks TLS to the edge and checks its certificate.
 */
async function tlsRelay(): Promise<{
  readonly host: string;
  readonly port: number;
  readonly close: () => void;
}> {
  const { host, port } = system.sip('tls');
  const relay = createServer((socket) => {
    const secure = connect({ host, port, ca: system.authority });
    socket.pipe(secure).pipe(socket);
    for (const one of [socket, secure]) one.on('error', () => one.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  return { host: '127.0.0.1', port: (relay.address() as AddressInfo).port, close: () => relay.close() };
}

type SippTransport = 'udp' | 'tcp' | 'tls';

async function sipp(name: string, transport: SippTransport, port: number): Promise<void> {
  const relay = transport === 'tls' ? await tlsRelay() : undefined;
  const server = relay ?? system.sip(transport);
  const ran = await run(
    'sipp',
    [
      `${server.host}:${server.port}`,
      ...['-sf', scenario(name), '-inf', join(folder, 'users.csv'), '-t', transport === 'udp' ? 'u1' : 't1'],
      ...['-i', '127.0.0.1', '-p', String(port), '-m', String(USERS), '-l', '10', '-r', '20'],
      ...[
        '-nostdin',
        '-auth_uri',
        system.domain,
        '-trace_err',
        '-error_file',
        join(folder, `${name}-${transport}.err`),
        '-timeout',
        '30s',
        '-timeout_error',
      ],
    ],
    { cwd: folder },
  );
  relay?.close();
  expect(ran.code, ran.output.slice(-3000)).toBe(0);
}

describe.each(['udp', 'tcp', 'tls'] as const)('SIPp over %s', (transport) => {
  const port = { udp: 16_985, tcp: 16_987, tls: 16_989 }[transport];

  it(`registers, refreshes and unregisters ${USERS} users (R01, R02, B03, B04)`, async () => {
    const before = await system.metric('edge', 'rollcall_inner_requests_total', { target: 'registrar' });
    await sipp('register', transport, port);
    expect(
      (await system.metric('edge', 'rollcall_inner_requests_total', { target: 'registrar' })) - before,
    ).toBe(2 * USERS);
    for (const { user } of accounts)
      expect(await system.admin.bindings(`sip:${user}@${system.domain}`)).toEqual([]);
  });

  it(`subscribes ${USERS} users to message-summary and takes every NOTIFY (S01, S02, S05)`, async () => {
    await sipp('subscribe', transport, port + 1);
  });
});
