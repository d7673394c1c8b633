import { writeFileSync } from 'node:fs';
import type { TLSSocket } from 'node:tls';
import { makeAuthority, makeCertificate } from '@rollcall/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { pause } from './support.ts';
import {
  AllBench,
  AUTHORITY,
  asResponse,
  HOST,
  type RawClient,
  register,
  SERVER,
  until,
} from './transports-support.ts';

let bench: AllBench;
afterEach(() => bench.stop());

const certificateFor = (name: string) => makeCertificate(AUTHORITY, { name, names: [name] });
const shown = (client: RawClient): string =>
  (client.socket as TLSSocket).getPeerCertificate().subject.CN as string;

describe('SNI (RFC 6066 §3)', () => {
  it('the certificate is that of the host asked for, a wildcard counts, the first is for all others', async () => {
    bench = new AllBench(
      HOST,
      ['tls', 'wss'],
      {},
      {
        tlsMore: (folder) => ({
          certificates: [
            folder.put('first', certificateFor('first.test')),
            folder.put('second', certificateFor('second.test')),
            folder.put('wild', certificateFor('*.wild.test')),
          ],
        }),
      },
    );
    await bench.start();
    for (const transport of ['tls', 'wss'] as const) {
      for (const [servername, name] of [
        ['first.test', 'first.test'],
        ['second.test', 'second.test'],
        ['SECOND.test', 'second.test'],
        ['a.wild.test', '*.wild.test'],
        ['a.b.wild.test', 'first.test'],
        ['unknown.test', 'first.test'],
        [undefined, 'first.test'],
      ] as const) {
        const checkServerIdentity = (): undefined => undefined;
        const client = await bench.raw(transport, {
          ...(servername === undefined ? {} : { servername }),
          checkServerIdentity,
        });
        expect([servername, shown(client)]).toEqual([servername, name]);
      }
    }
  });
});

describe('mutual TLS', () => {
  const CLIENTS = makeAuthority({ name: 'Authority of clients' });
  const peer = makeCertificate(CLIENTS, {
    name: 'gateway',
    names: ['gateway.test', 'sip:Peer.test', 'sip:user@not.test'],
  });
  const stranger = makeCertificate(makeAuthority({ name: 'Nobody' }), {
    name: 'gateway',
    names: ['gateway.test'],
  });
  const nameless = makeCertificate(CLIENTS, { name: 'Gateway.Test' });

  const start = (clientCertificates: 'ask' | 'require'): Promise<AllBench> =>
    new AllBench(
      HOST,
      ['tls', 'wss'],
      {},
      {
        tlsMore: (folder) => ({
          clientCertificates,
          clientAuthorities: folder.authority('clients', CLIENTS),
        }),
      },
    ).start();
  const shows = ({ pem, keyPem }: typeof peer): { cert: string; key: string } => ({ cert: pem, key: keyPem });

  it.each(['tls', 'wss'] as const)(
    '%s: the names that a trusted certificate proves stand on the flow',
    async (transport) => {
      bench = await start('ask');
      for (const [tls, names] of [
        [shows(peer), ['gateway.test', 'peer.test']],
        [shows(nameless), ['gateway.test']],
        [shows(stranger), undefined],
        [{}, undefined],
      ] as const) {
        const { wire, inbox } = await bench.open(transport, { tls });
        wire.send(register(transport));
        expect(asResponse(await inbox.next('response', 10_000)).status).toBe(200);
        expect((await bench.user.requests.next()).flow.certificateNames).toEqual(names);
      }
    },
  );

  it('required: without a certificate, or with that of a stranger, there is no flow', async () => {
    bench = await start('require');
    for (const more of [{}, shows(stranger)]) {
      const client = await bench.raw('tls', more);
      client.send(register('tls'));
      await until(() => client.closed, 10_000);
      expect(client.text).toBe('');
    }
    await until(() => bench.front.counters.tlsFailed === 2, 10_000);
    const { wire, inbox } = await bench.open('tls', { tls: shows(peer) });
    wire.send(register('tls'));
    expect(asResponse(await inbox.next('response', 10_000)).status).toBe(200);
    expect(bench.user.requests.all).toHaveLength(1);
  });
});

describe('certificates that change', () => {
  it('new files are used without a restart, for new connections; what cannot be used changes nothing', async () => {
    let files = { certificate: '', key: '' };
    bench = new AllBench(
      HOST,
      ['tls'],
      {},
      {
        tlsMore: (folder) => {
          files = folder.put('server', makeCertificate(AUTHORITY, { name: 'old.test', names: [HOST] }));
          return { certificates: [files] };
        },
      },
    );
    await bench.start();
    const before = await bench.raw('tls');
    expect(shown(before)).toBe('old.test');
    bench.folder.put('server', makeCertificate(AUTHORITY, { name: 'new.test', names: [HOST] }));
    await bench.front.reloadCertificates();
    expect(shown(await bench.raw('tls'))).toBe('new.test');
    expect(
      shown(await bench.raw('tls', { servername: 'example.test', checkServerIdentity: () => undefined })),
    ).toBe('new.test');
    before.send(register('tls'));
    await until(() => before.count('SIP/2.0 200') === 1, 10_000);

    writeFileSync(files.certificate, 'no certificate');
    await bench.front.reloadCertificates();
    expect(shown(await bench.raw('tls'))).toBe('new.test');
    // A key that belongs to another certificate.
    bench.folder.put('server', certificateFor('other.test'));
    writeFileSync(files.key, SERVER.keyPem);
    await bench.front.reloadCertificates();
    expect(shown(await bench.raw('tls'))).toBe('new.test');
    expect(bench.front.tlsState()).toMatchObject({ reloads: 1, failures: 2 });
  });

  it('a start without usable files fails, and nothing stays open', async () => {
    bench = new AllBench(
      HOST,
      ['tcp', 'tls'],
      {},
      {
        tlsMore: (folder) => ({
          certificates: [{ certificate: `${folder.path}/none.pem`, key: `${folder.path}/none.key` }],
        }),
      },
    );
    await expect(bench.start()).rejects.toThrow('none.pem');
    expect(bench.front.sizes().connections).toBe(0);
  });
});

describe('sessions', () => {
  it('are resumed on another edge that has the same ticket keys, and not with other keys', async () => {
    const keys = (fill: number) => () => Buffer.alloc(48, fill);
    const start = (fill: number) =>
      new AllBench(HOST, ['tls'], {}, { tlsMore: () => ({ ticketKeys: keys(fill) }) }).start();
    const [first, second, third] = [await start(1), await start(1), await start(2)];
    bench = first;
    const client = await first.raw('tls');
    client.send(register('tls'));
    await until(() => client.count('SIP/2.0 200') === 1, 10_000);
    const session = (client.socket as TLSSocket).getSession();
    const reused = async (where: AllBench): Promise<boolean> => {
      const again = await where.raw('tls', { ...(session === undefined ? {} : { session }) });
      return (again.socket as TLSSocket).isSessionReused();
    };
    expect(await reused(second)).toBe(true);
    expect(second.front.counters).toMatchObject({ tlsHandshakes: 1, tlsResumed: 1 });
    expect(await reused(third)).toBe(false);
    await second.stop();
    await third.stop();
  });
});

describe('K20 F06 handshakes that do not end', () => {
  it.each(['tls', 'ws', 'wss'] as const)(
    '%s: whoever says nothing, or half, is gone in time',
    async (transport) => {
      bench = await new AllBench(HOST, [transport], { handshakeMs: 5_000 }).start();
      const { connect } = await import('node:net');
      const silent = connect(bench.port(transport), HOST);
      const half = connect(bench.port(transport), HOST);
      let closed = 0;
      for (const socket of [silent, half]) {
        socket.on('error', () => undefined).on('close', () => (closed += 1));
        socket.resume();
        bench.closers.push(() => socket.destroy());
      }
      // The beginning of a ClientHello, or of an upgrade.
      half.write(
        transport === 'ws' ? 'GET / HTTP/1.1\r\nHost: a\r\n' : Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1]),
      );
      await until(() => bench.front.sizes().arriving === 2, 10_000);
      expect(bench.front.sizes()).toMatchObject({ arriving: 2, connections: 0 });
      await pause(100);
      bench.clock.turn(5_100);
      await until(() => closed === 2, 10_000);
      expect(bench.front.counters.handshakesTimedOut).toBe(2);
      expect(bench.front.sizes()).toMatchObject({ arriving: 0, timers: 0 });
    },
  );

  it('wss: a client that is through TLS and does not upgrade is gone in time', async () => {
    bench = await new AllBench(HOST, ['wss'], { handshakeMs: 5_000 }).start();
    const client = await bench.raw('wss');
    await until(() => bench.front.counters.tlsHandshakes === 1, 10_000);
    bench.clock.turn(5_100);
    await until(() => client.closed, 10_000);
    await until(() => bench.front.sizes().arriving === 0, 10_000);
  });

  it('what is no TLS on the TLS port, and what is TLS on the TCP port, is closed', async () => {
    bench = await new AllBench(HOST, ['tls', 'tcp']).start();
    const { connect } = await import('node:net');
    const plain = connect(bench.port('tls'), HOST);
    plain.on('error', () => undefined);
    plain.write(register('tcp'));
    await until(() => bench.front.counters.tlsFailed === 1, 10_000);
    const secure = await bench.raw('tcp');
    secure.send(Buffer.from([0x16, 3, 1, 2, 0, 1]));
    await until(() => secure.closed, 10_000);
    expect(bench.front.counters.closedFraming).toBe(1);
    plain.destroy();
  });

  it('those in a handshake count in the bounds of connections', async () => {
    bench = await new AllBench(HOST, ['tls'], { maxConnectionsPerAddress: 2 }).start();
    const { connect } = await import('node:net');
    const sockets = [1, 2, 3].map(() =>
      connect(bench.port('tls'), HOST)
        .on('error', () => undefined)
        .resume(),
    );
    await until(() => bench.front.counters.connectionsRefused === 1, 10_000);
    expect(bench.front.sizes().arriving).toBe(2);
    for (const socket of sockets) socket.destroy();
    await until(() => bench.front.sizes().arriving === 0, 10_000);
    const { wire, inbox } = await bench.open('tls');
    wire.send(register('tls'));
    expect(asResponse(await inbox.next('response', 10_000)).status).toBe(200);
  });
});
