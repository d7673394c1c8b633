import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { createInnerServer, createSipFront, type NativeFront } from '../src/index.ts';
import { HOST, RecordingUser, reply, request } from './support.ts';

const clock = { now: () => epochMs(Date.now()) };
const front = (transport: 'udp' | 'tcp', host: string, port: number): NativeFront =>
  createSipFront({ listeners: [{ transport, host, port }], clock });

const hasIPv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);

describe('a busy port', () => {
  it('UDP: start rejects with EADDRINUSE, and nothing stays open', async () => {
    const taken = createSocket('udp4');
    await new Promise<void>((resolve) => taken.bind(0, HOST, resolve));
    await expect(front('udp', HOST, taken.address().port).start(new RecordingUser())).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
    taken.close();
  });
  it('TCP, front and inner server', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, HOST, resolve));
    const address = taken.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    await expect(front('tcp', HOST, port).start(new RecordingUser())).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
    await expect(createInnerServer({ host: HOST, port, onRequest: () => undefined })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
    taken.close();
  });
});

/** One REGISTER over UDP from an address family to a listener; the flow id that it came on. */
async function registerOver(
  listen: string,
  type: 'udp4' | 'udp6',
  to: string,
): Promise<{ status: string; flowId: string }> {
  const native = front('udp', listen, 0);
  const user = new RecordingUser();
  user.onEach = (transaction) => {
    reply(transaction, 200);
  };
  await native.start(user);
  const phone = createSocket(type);
  const status = await new Promise<string>((resolve) => {
    phone.on('message', (data) => {
      resolve(data.toString().split('\r\n')[0] ?? '');
    });
    phone.send(request(), native.listeners[0]?.local.port ?? 0, to);
  });
  const flowId = user.requests.all[0]?.flow.id ?? '';
  expect(native.flow(flowId)?.remote.port).toBe(phone.address().port);
  phone.close();
  await native.stop();
  return { status, flowId };
}

describe.runIf(hasIPv6)('IPv6', () => {
  it('a phone on ::1 is answered', async () => {
    const { status, flowId } = await registerOver('::1', 'udp6', '::1');
    expect(status).toBe('SIP/2.0 200 OK');
    expect(flowId).toMatch(/^u0-0{31}1-\d+$/);
  });
  it('a socket on :: serves IPv4 phones, under their IPv4 address', async () => {
    const { status, flowId } = await registerOver('::', 'udp4', HOST);
    expect(status).toBe('SIP/2.0 200 OK');
    expect(flowId).toMatch(/^u0-7f000001-\d+$/);
  });
});
