import type { SipRequest } from '@rollcall/sip';
import { afterEach, describe, expect, it } from 'vitest';
import { createInnerLink, createInnerServer, staticReplicas, type Tap } from '../src/index.ts';
import { respond } from '@rollcall/sip';

const closing: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Writes down what it sees. */
function watch(): { readonly seen: string[]; readonly tap: Tap } {
  const seen: string[] = [];
  const note =
    (what: string): Tap['sent'] =>
    (message, { transport, local, remote }) =>
      seen.push(
        `${what} ${message.slice(0, 11)} ${transport} ${local.address} ${remote.address} ${String(remote.port > 0)}`,
      );
  return { seen, tap: { sent: note('sent'), received: note('received') } };
}

const REGISTER = [
  'REGISTER sip:example.test SIP/2.0',
  'Via: SIP/2.0/TCP 127.0.0.1:1;branch=z9hG4bKone',
  'From: <sip:alice@example.test>;tag=1',
  'To: <sip:alice@example.test>',
  'Call-ID: c1',
  'CSeq: 1 REGISTER',
  'Content-Length: 0',
  '\r\n',
].join('\r\n');

describe('A10 a tap on the inner hop', () => {
  it('sees each message on both ends once, with the addresses of the connection, and may come and go', async () => {
    const [there, here] = [watch(), watch()];
    const slots = {
      there: { tap: there.tap as Tap | undefined },
      here: { tap: here.tap as Tap | undefined },
    };
    const server = await createInnerServer({
      host: '127.0.0.1',
      port: 0,
      onRequest: (request: SipRequest, reply) => {
        reply(respond(request, 200, { toTag: 't' }));
      },
      tap: slots.there,
    });
    closing.push(() => server.close());
    const replicas = staticReplicas([{ host: '127.0.0.1', port: server.port }]);
    const link = createInnerLink({ replicas, timeoutMs: 5_000, maxPending: 10, tap: slots.here });
    closing.unshift(() => {
      link.close();
    });
    await link.start();
    const ask = (branch: string) =>
      new Promise((resolve) => {
        link.request('k', branch, REGISTER.replace('z9hG4bKone', branch), resolve);
      });
    await ask('z9hG4bKone');
    await ask('z9hG4bKtwo');
    slots.here.tap = undefined;
    await ask('z9hG4bKthree');
    const ends = 'tcp 127.0.0.1 127.0.0.1 true';
    const pair = [`received REGISTER si ${ends}`, `sent SIP/2.0 200 ${ends}`];
    expect(there.seen).toEqual([...pair, ...pair, ...pair]);
    // The first may be queued before the connection is up.
    expect(here.seen.slice(1)).toEqual([
      `received SIP/2.0 200 ${ends}`,
      `sent REGISTER si ${ends}`,
      `received SIP/2.0 200 ${ends}`,
    ]);
    expect(here.seen[0]).toContain('sent REGISTER si tcp');
  });
});
