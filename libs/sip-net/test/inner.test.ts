import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { respond, type SipRequest } from '@rollcall/sip';
import {
  createInnerLink,
  createInnerServer,
  dnsReplicas,
  type InnerLink,
  type InnerLinkOptions,
  type InnerOutcome,
  type InnerServer,
  newToken,
  type Replica,
  staticReplicas,
} from '../src/index.ts';
import { HOST, Inbox, pause, request, TcpPhone, until } from './support.ts';

type Handler = (request: SipRequest, reply: (message: string) => void, peer: string) => void;

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const item of open.splice(0).reverse()) await item.close();
});

async function serve(onRequest: Handler, port = 0): Promise<InnerServer> {
  const server = await createInnerServer({ host: HOST, port, onRequest });
  open.push(server);
  return server;
}

async function linkTo(
  replicas: readonly Replica[],
  options: Partial<InnerLinkOptions> = {},
): Promise<InnerLink> {
  const link = createInnerLink({
    replicas: staticReplicas(replicas),
    timeoutMs: 2_000,
    maxPending: 100,
    ...options,
  });
  open.push(link);
  await link.start();
  return link;
}

const at = (server: { port: number }): Replica => ({ host: HOST, port: server.port });

function ask(link: InnerLink, key: string, method = 'REGISTER'): Promise<InnerOutcome> {
  const branch = `z9hG4bK${newToken()}`;
  const text = request({ method, via: `SIP/2.0/TCP ${HOST}:5070;branch=${branch}` });
  return new Promise((resolve) => {
    link.request(key, branch, text, resolve);
  });
}

const accept =
  (name: string): Handler =>
  (received, reply) => {
    reply(respond(received, 200, { toTag: name }));
  };

function whoAnswered(outcome: InnerOutcome): string {
  if (outcome.kind !== 'response') return outcome.kind;
  const to = outcome.response.to();
  return to.ok ? (to.value.tag ?? '') : '';
}

/** A replica that accepts connections and does with them what the test wants. */
async function rawServer(
  onSocket: (socket: Socket) => void,
): Promise<{ host: string; port: number; server: Server }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  open.push({
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  const address = server.address();
  return { server, host: HOST, port: address !== null && typeof address === 'object' ? address.port : 0 };
}

describe('request and answer', () => {
  it('come back to the one who asked, in whatever order they are answered', async () => {
    const held: (() => void)[] = [];
    const server = await serve((received, reply) => {
      held.push(() => {
        reply(respond(received, 200, { toTag: received.callId().ok ? String(held.length) : '' }));
      });
      if (held.length === 3) for (const answer of held.reverse()) answer();
    });
    const link = await linkTo([at(server)]);
    const outcomes = await Promise.all([ask(link, 'a'), ask(link, 'a'), ask(link, 'a')]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['response', 'response', 'response']);
    expect(link.stats()).toMatchObject({ pending: 0, sent: 3, up: 1 });
    expect(server.connections()).toBe(1);
  });

  it('requests of one tick go out in one write', async () => {
    const chunks: string[] = [];
    const raw = await rawServer((socket) =>
      socket.on('data', (data) => chunks.push(data.toString('latin1'))),
    );
    const link = await linkTo([raw]);
    await until(() => chunks.length === 1);
    // What the connection begins with.
    expect(chunks.splice(0)[0]).toMatch(/^OPTIONS /);
    for (let i = 0; i < 20; i += 1) void ask(link, 'a');
    await until(() => chunks.join('').split('REGISTER sip:').length === 21);
    expect(chunks).toHaveLength(1);
  });

  it('a provisional is not the answer', async () => {
    const server = await serve((received, reply) => {
      reply(respond(received, 100));
      setTimeout(() => {
        reply(respond(received, 200, { toTag: 'final' }));
      }, 10);
    });
    expect(whoAnswered(await ask(await linkTo([at(server)]), 'a'))).toBe('final');
  });

  it('a named peer is asked by requestTo, and its connection is kept', async () => {
    const server = await serve(accept('edge2'));
    const link = await linkTo([]);
    for (let i = 0; i < 2; i += 1) {
      const branch = `z9hG4bKpeer${String(i)}`;
      const outcome = await new Promise<InnerOutcome>((resolve) => {
        link.requestTo(
          at(server),
          branch,
          request({ method: 'NOTIFY', via: `SIP/2.0/TCP ${HOST};branch=${branch}` }),
          resolve,
        );
      });
      expect(whoAnswered(outcome)).toBe('edge2');
    }
    expect(server.connections()).toBe(1);
  });
});

describe('which replica', () => {
  it('is a function of the key, and keys spread over all', async () => {
    const servers = [await serve(accept('r0')), await serve(accept('r1')), await serve(accept('r2'))];
    const link = await linkTo(servers.map(at));
    const choice = new Map<string, string>();
    const counts = new Map<string, number>();
    for (let i = 0; i < 60; i += 1) {
      const key = `sip:user${String(i)}@example.test`;
      const who = whoAnswered(await ask(link, key));
      choice.set(key, who);
      counts.set(who, (counts.get(who) ?? 0) + 1);
      expect(whoAnswered(await ask(link, key))).toBe(who);
    }
    expect([...counts.keys()].sort()).toEqual(['r0', 'r1', 'r2']);
    expect(Math.min(...counts.values())).toBeGreaterThan(5);

    // one goes: only its keys move
    await servers[1]?.close();
    await until(() => link.stats().up === 2);
    for (const [key, who] of choice) {
      const now = whoAnswered(await ask(link, key));
      if (who !== 'r1') expect(now).toBe(who);
      else expect(['r0', 'r2']).toContain(now);
    }
  });

  it('follows DNS: replicas that come are used, those that leave finish what they owe', async () => {
    const first = await serve((received, reply) => {
      setTimeout(() => {
        reply(respond(received, 200, { toTag: 'first' }));
      }, 150);
    });
    let addresses: readonly string[] = [HOST];
    let lookups = 0;
    const source = dnsReplicas(
      'registrar.internal',
      first.port,
      () => ((lookups += 1), Promise.resolve(addresses)),
      20,
    );
    const link = createInnerLink({ replicas: source, timeoutMs: 2_000, maxPending: 10 });
    open.push(link);
    await link.start();
    const slow = ask(link, 'a');
    addresses = ['127.0.0.2'];
    await until(() => lookups > 3);
    expect(whoAnswered(await slow)).toBe('first');
    await until(() => first.connections() === 0);
    addresses = [];
    await until(() => source.current().length === 0);
    expect((await ask(link, 'a')).kind).toBe('unavailable');
  });

  it('keeps the last list when the resolver fails', async () => {
    let fail = false;
    const source = dnsReplicas(
      'x',
      1,
      () => (fail ? Promise.reject(new Error('SERVFAIL')) : Promise.resolve([HOST])),
      10,
    );
    await source.start();
    fail = true;
    await pause(50);
    expect(source.current()).toEqual([{ host: HOST, port: 1 }]);
    source.stop();
  });
});

describe('when a replica dies', () => {
  it.each(['REGISTER', 'SUBSCRIBE', 'PUBLISH'])('an unanswered %s goes to another one', async (method) => {
    const got = new Inbox<Socket>();
    const dying = await rawServer((socket) =>
      socket.once('data', () => {
        got.put(socket);
      }),
    );
    const healthy = await serve(accept('healthy'));
    const link = await linkTo([dying, at(healthy)]);
    await until(() => link.stats().up === 2);
    const outcomes = Array.from({ length: 12 }, (_, i) => ask(link, `key${String(i)}`, method));
    (await got.next('request at the dying one')).destroy();
    expect(new Set((await Promise.all(outcomes)).map(whoAnswered))).toEqual(new Set(['healthy']));
    expect(link.stats().retried).toBeGreaterThan(0);
  });

  it('an unanswered MESSAGE is unavailable: nobody knows whether it was carried out', async () => {
    const dying = await rawServer((socket) =>
      socket.on('data', (data) => {
        if (data.toString('latin1').includes('MESSAGE sip:')) socket.destroy();
      }),
    );
    const link = await linkTo([dying]);
    await until(() => link.ready());
    expect((await ask(link, 'a', 'MESSAGE')).kind).toBe('unavailable');
  });

  it('and no other is left, the request is unavailable, and works again when it is back', async () => {
    const server = await serve(accept('old'));
    const link = await linkTo([at(server)]);
    expect(whoAnswered(await ask(link, 'a'))).toBe('old');
    const { port } = server;
    await server.close();
    await until(() => !link.ready());
    expect((await ask(link, 'a')).kind).toBe('unavailable');
    await serve(accept('new'), port);
    await until(() => link.ready(), 3_000);
    expect(whoAnswered(await ask(link, 'a'))).toBe('new');
  });

  it('without a FIN, silence with answers owed shows it', async () => {
    const stopped = await rawServer((socket) => socket.pause());
    const healthy = await serve(accept('healthy'));
    const link = await linkTo([stopped, at(healthy)], { timeoutMs: 8_000 });
    await until(() => link.stats().up === 2);
    const outcomes = Array.from({ length: 12 }, (_, i) => ask(link, `key${String(i)}`));
    expect(new Set((await Promise.all(outcomes)).map(whoAnswered))).toEqual(new Set(['healthy']));
  }, 10_000);

  it('a slow but living replica is not taken for dead: it answers the ping', async () => {
    const slow = await serve((received, reply) => {
      setTimeout(() => {
        reply(respond(received, 200, { toTag: 'slow' }));
      }, 3_600);
    });
    const link = await linkTo([at(slow)], { timeoutMs: 8_000 });
    expect(whoAnswered(await ask(link, 'a'))).toBe('slow');
    expect(link.stats()).toMatchObject({ retried: 0, up: 1 });
  }, 10_000);
});

describe('bounds', () => {
  it('a request without an answer is a timeout', async () => {
    const silent = await serve(() => undefined);
    const link = await linkTo([at(silent)], { timeoutMs: 150 });
    const started = Date.now();
    expect((await ask(link, 'a')).kind).toBe('timeout');
    expect(Date.now() - started).toBeLessThan(600);
    expect(link.stats()).toMatchObject({ pending: 0, timeouts: 1 });
  });

  it('past maxPending a request is unavailable at once, but not before the call returns', async () => {
    const silent = await serve(() => undefined);
    const link = await linkTo([at(silent)], { maxPending: 2, timeoutMs: 300 });
    const waiting = [ask(link, 'a'), ask(link, 'b')];
    let told = false;
    const refused = ask(link, 'c').then((outcome) => ((told = true), outcome));
    expect(told).toBe(false);
    expect((await refused).kind).toBe('unavailable');
    expect(link.stats()).toMatchObject({ refused: 1, pending: 2 });
    expect((await Promise.all(waiting)).map(({ kind }) => kind)).toEqual(['timeout', 'timeout']);
    expect(link.stats().pending).toBe(0);
  });

  it('close tells all who wait', async () => {
    const silent = await serve(() => undefined);
    const link = await linkTo([at(silent)]);
    const outcome = ask(link, 'a');
    await until(() => link.ready());
    link.close();
    expect((await outcome).kind).toBe('unavailable');
    expect((await ask(link, 'a')).kind).toBe('unavailable');
  });

  it('the server refuses what it cannot read, closes what it cannot frame, and survives its handler', async () => {
    const server = await serve((received) => {
      if (received.method === 'OPTIONS') throw new Error('a bug');
    });
    const peer = await TcpPhone.open({ tcp: server.port, phones: [] });
    open.push(peer);
    peer.send(request({ method: 'OPTIONS' }));
    expect((await peer.response()).status).toBe(500);
    peer.send(request().replace('REGISTER sip:example.test SIP/2.0', 'REGISTER sip:example.test SIP/7.0'));
    expect((await peer.response()).status).toBe(505);
    peer.send(request().replace('Content-Length: 0', 'Content-Length: -1'));
    expect((await peer.response()).status).toBe(400);
    await until(() => peer.closed);
  });

  it('the server closes connections past its limit', async () => {
    const server = await createInnerServer({
      host: HOST,
      port: 0,
      onRequest: () => undefined,
      limits: { maxConnections: 1 },
    });
    open.push(server);
    const first = await TcpPhone.open({ tcp: server.port, phones: [] });
    const second = await TcpPhone.open({ tcp: server.port, phones: [] });
    open.push(first, second);
    await until(() => second.closed);
    expect(first.closed).toBe(false);
    expect(server.connections()).toBe(1);
  });
});
