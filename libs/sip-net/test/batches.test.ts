import { createSocket, type SocketType } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { createSipFront, type NativeFront } from '../src/index.ts';
import { plainAddress } from '../src/addresses.ts';
import { SocketNames } from '../src/batches/socket-names.ts';
import { systemCalls } from '../src/batches/system-calls.ts';
import { HOST, Inbox, RecordingUser, reply, request } from './support.ts';

const clock = { now: () => epochMs(Date.now()) };
const hasIPv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);
const canBatch = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

interface Side {
  readonly front: NativeFront;
  readonly user: RecordingUser;
  readonly port: number;
}

async function listen(host: string, datagramBatches: boolean): Promise<Side> {
  const front = createSipFront({ listeners: [{ transport: 'udp', host, port: 0 }], clock, datagramBatches });
  const user = new RecordingUser();
  user.onEach = (transaction) => {
    reply(transaction, 200);
  };
  await front.start(user);
  return { front, user, port: front.listeners[0]?.local.port ?? 0 };
}

interface Phone {
  readonly port: number;
  readonly inbox: Inbox<string>;
  send(text: string): void;
  close(): void;
}

async function phone(type: SocketType, to: string, port: number): Promise<Phone> {
  const socket = createSocket({ type, recvBufferSize: 1 << 22 });
  await new Promise<void>((resolve) => socket.bind(0, type === 'udp4' ? HOST : '::1', resolve));
  const inbox = new Inbox<string>();
  socket.on('message', (data) => {
    inbox.put(data.toString('latin1'));
  });
  return {
    port: socket.address().port,
    inbox,
    send: (text) => {
      socket.send(Buffer.from(text, 'latin1'), port, to);
    },
    close: () => socket.close(),
  };
}

it.runIf(canBatch)('the system calls can be had on this machine', async () => {
  expect(await systemCalls()).toBeDefined();
});

describe.each([true, false])('UDP, many datagrams at a time: %s', (batches) => {
  it('a burst of three phones: each gets its own answers, all of them', async () => {
    const { front, user, port } = await listen(HOST, batches);
    const phones = await Promise.all([1, 2, 3].map(() => phone('udp4', HOST, port)));
    const BURST = 200;
    for (let i = 0; i < BURST; i += 1)
      for (const [at, one] of phones.entries())
        one.send(request({ callId: `${String(at)}-${String(i)}@burst` }));
    for (const [at, one] of phones.entries()) {
      const ids = new Set<string>();
      for (let i = 0; i < BURST; i += 1) {
        const text = await one.inbox.next('answer');
        expect(text).toContain('SIP/2.0 200 OK');
        expect(text).toContain(`rport=${String(one.port)}`);
        ids.add(/Call-ID: (\S+)/.exec(text)?.[1] ?? '');
      }
      expect([...ids].filter((id) => id.startsWith(`${String(at)}-`))).toHaveLength(BURST);
    }
    expect(user.requests.all).toHaveLength(phones.length * BURST);
    for (const one of phones) one.close();
    await front.stop();
  });

  it('the longest datagrams come and go whole', async () => {
    const { front, user, port } = await listen(HOST, batches);
    const one = await phone('udp4', HOST, port);
    const body = 'x'.repeat(60_000);
    one.send(request({ body, headers: ['Content-Type: text/plain'] }));
    const { request: came, flow } = await user.requests.next();
    expect(came.body).toBe(body);
    await one.inbox.next();
    expect(flow.send(`NOTIFY ${body}`)).toBe(true);
    expect(await one.inbox.next()).toBe(`NOTIFY ${body}`);
    // Longer than UDP: lost, as any datagram that the system refuses; Node says so only when it is asked for each.
    flow.send('y'.repeat(66_000));
    flow.send('still here');
    expect(await one.inbox.next()).toBe('still here');
    if (batches && canBatch) expect(front.counters.datagramsFailed).toBe(1);
    one.close();
    await front.stop();
  });

  it('nobody else can bind to the port, not even one that would share it', async () => {
    const { front, port } = await listen(HOST, batches);
    const other = createSocket({ type: 'udp4', reuseAddr: true });
    const outcome = await new Promise<string>((resolve) => {
      other.once('error', (error: NodeJS.ErrnoException) => {
        resolve(error.code ?? '');
      });
      other.bind(port, HOST, () => {
        resolve('bound');
      });
    });
    expect(outcome).toBe('EADDRINUSE');
    other.close();
    await front.stop();
  });

  it('an address that is none of ours is refused by name', async () => {
    const front = createSipFront({
      listeners: [{ transport: 'udp', host: '192.0.2.1', port: 0 }],
      clock,
      datagramBatches: batches,
    });
    await expect(front.start(new RecordingUser())).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
  });

  it.runIf(hasIPv6)('a socket on :: tells IPv4 and IPv6 phones apart', async () => {
    const { front, user, port } = await listen('::', batches);
    const four = await phone('udp4', HOST, port);
    const six = await phone('udp6', '::1', port);
    for (const one of [four, six]) {
      for (let i = 0; i < 3; i += 1) one.send(request());
      for (let i = 0; i < 3; i += 1) expect(await one.inbox.next()).toContain('SIP/2.0 200 OK');
    }
    const remotes = user.requests.all.map(({ flow }) => flow.remote.address);
    expect(remotes).toEqual([HOST, HOST, HOST, '::1', '::1', '::1']);
    four.close();
    six.close();
    await front.stop();
  });
});

describe('names of peers, as the system writes them', () => {
  const words = (name: Uint8Array): Uint32Array => new Uint32Array(Uint8Array.from(name).buffer);
  const port = fc.integer({ min: 1, max: 65_535 });

  it('any IPv4 address and port comes back', () => {
    const names = new SocketNames(false);
    fc.assert(
      fc.property(fc.ipV4(), port, (address, number) => {
        const name = words(names.of(address, number));
        expect([names.address(name, 0), names.port(name, 0)]).toEqual([address, number]);
      }),
    );
  });

  it('on an IPv6 socket too, and IPv6 addresses in their shortest form', () => {
    const names = new SocketNames(true);
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), port, (address, number) => {
        const name = words(names.of(address, number));
        const shortest = address.includes(':')
          ? new URL(`http://[${address}]`).hostname.slice(1, -1)
          : address;
        const read = names.address(name, 0);
        // An IPv4-mapped address is written in two ways that mean one.
        if (!shortest.startsWith('::ffff:')) expect(read).toBe(plainAddress(shortest));
        expect(names.port(name, 0)).toBe(number);
      }),
    );
  });
});
