import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { respond } from '@rollcall/sip';
import {
  createInnerLink,
  createInnerServer,
  type InnerFormats,
  type InnerLink,
  type InnerOutcome,
  type InnerServer,
  newToken,
  staticReplicas,
} from '../src/index.ts';
import { HOST, request, until } from './support.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const item of open.splice(0).reverse()) await item.close();
});

const warned: string[] = [];
const nothing = (): void => undefined;
const log = {
  ...{ debug: nothing, info: nothing, error: nothing },
  warn: (_: object, message: string) => void warned.push(message),
};

async function serve(name: string, formats?: InnerFormats): Promise<InnerServer & { methods: string[] }> {
  const methods: string[] = [];
  const server = await createInnerServer({
    ...{ host: HOST, port: 0, log },
    ...(formats === undefined ? {} : { formats }),
    onRequest: (received, reply) => {
      methods.push(received.method);
      reply(respond(received, 200, { toTag: name }));
    },
  });
  open.push(server);
  return Object.assign(server, { methods });
}

async function linkTo(ports: readonly number[], formats?: InnerFormats): Promise<InnerLink> {
  const link = createInnerLink({
    ...{ replicas: staticReplicas(ports.map((port) => ({ host: HOST, port }))), timeoutMs: 5_000 },
    ...{ maxPending: 100, log },
    ...(formats === undefined ? {} : { formats }),
  });
  open.push(link);
  await link.start();
  return link;
}

function ask(link: InnerLink, key: string, method = 'REGISTER', more = ''): Promise<InnerOutcome> {
  const branch = `z9hG4bK${newToken()}`;
  const text = request({ method, via: `SIP/2.0/TCP ${HOST}:5070;branch=${branch}` });
  return new Promise((resolve) => {
    link.request(key, branch, text.replace('\r\n\r\n', `\r\n${more}\r\n`), resolve);
  });
}

async function whoAnswers(link: InnerLink): Promise<string> {
  const outcome = await ask(link, 'a');
  if (outcome.kind !== 'response') return outcome.kind;
  const to = outcome.response.to();
  return to.ok ? (to.value.tag ?? '') : '';
}

describe('O07 formats of inner SIP', () => {
  it('are said once, at the beginning of a connection; whoever handles requests sees nothing of it', async () => {
    const server = await serve('same');
    const link = await linkTo([server.port]);
    expect(await whoAnswers(link)).toBe('same');
    expect(await whoAnswers(link)).toBe('same');
    expect(server.methods).toEqual(['REGISTER', 'REGISTER']);
    expect(link.stats()).toMatchObject({ pending: 0, up: 1, sent: 2 });
  });

  it.each([
    ['the one that asks is ahead', { oldest: 1, newest: 2 }, undefined],
    ['the one that is asked is ahead', undefined, { oldest: 1, newest: 2 }],
  ])('%s: what both speak is spoken', async (_, asking, asked) => {
    const server = await serve('beside', asked);
    expect(await whoAnswers(await linkTo([server.port], asking))).toBe('beside');
  });

  it('a peer that speaks none of ours gets nothing, others are asked; it is told of on both sides', async () => {
    warned.length = 0;
    const strange = await serve('strange', { oldest: 3, newest: 4 });
    const known = await serve('known');
    const link = await linkTo([strange.port, known.port]);
    await until(() => warned.length >= 2);
    for (let n = 0; n < 20; n += 1) {
      const outcome = await ask(link, `key${String(n)}`);
      expect(outcome.kind === 'response' && outcome.response.to()).toMatchObject({ value: { tag: 'known' } });
    }
    expect(new Set(warned)).toEqual(new Set(['an inner peer speaks no format that this version knows']));
  });

  it('a peer from before there were any answers what it likes, or nothing', async () => {
    const sockets: Socket[] = [];
    const before = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', nothing);
      socket.on('data', (data) => {
        for (const message of data.toString('latin1').split(/(?<=\r\n\r\n)/)) {
          const status = message.startsWith('OPTIONS') ? '483 Too Many Hops' : '200 OK';
          const lines = /Via: [^]*?(?=Contact|Max-Forwards)/i.exec(message)?.[0] ?? '';
          socket.write(
            `SIP/2.0 ${status}\r\n${lines}From: <sip:a@x>;tag=1\r\nTo: <sip:a@x>;tag=old\r\nCall-ID: c\r\nCSeq: 1 X\r\nContent-Length: 0\r\n\r\n`,
          );
        }
      });
    });
    await new Promise<void>((resolve) => before.listen(0, HOST, resolve));
    open.push({
      close: () => {
        for (const socket of sockets) socket.destroy();
        before.close();
      },
    });
    const address = before.address();
    const link = await linkTo([typeof address === 'object' ? (address?.port ?? 0) : 0]);
    expect(await whoAnswers(link)).toBe('old');
    expect(link.stats()).toMatchObject({ up: 1, retried: 0 });
  });

  it('an OPTIONS of a phone that says the same, later on a connection, is no hello', async () => {
    const server = await serve('proxy');
    const link = await linkTo([server.port]);
    const outcome = await ask(link, 'a', 'OPTIONS', 'Rollcall-Inner: 9-9\r\n');
    expect(outcome.kind === 'response' && outcome.status).toBe(200);
    expect(server.methods).toEqual(['OPTIONS']);
  });
});
