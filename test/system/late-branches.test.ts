import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually, TestSystem, token, type Account, type Phone } from '@rollcall/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Callee, OutgoingCall } from './call-phones.ts';
import { ACCOUNTS, contactLine, freshAccount, ok, refused } from './support.ts';

/** Branches that come late, or whose answer does not come at all: two edges as processes, phones on sockets, a push gateway. */
let system: TestSystem;
let gateway: Gateway;

interface Push {
  readonly aor: string;
  readonly provider: string;
  readonly prid: string;
  readonly param: string;
}

/** A push gateway: notes what it is asked, refuses when told to, and tells whoever is to be woken. */
class Gateway {
  readonly pushes: Push[] = [];
  readonly signatures: { readonly header: string; readonly body: string }[] = [];
  refuses = false;
  wake: (push: Push) => void = () => undefined;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (data: Buffer) => chunks.push(data));
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        this.signatures.push({ header: String(request.headers['rollcall-signature']), body });
        response.writeHead(this.refuses ? 503 : 204).end();
        if (this.refuses) return;
        const push = JSON.parse(body) as Push;
        this.pushes.push(push);
        this.wake(push);
      });
    });
  }

  static async open(): Promise<Gateway> {
    const gateway = new Gateway();
    await new Promise<void>((resolve) => gateway.#server.listen(0, '127.0.0.1', resolve));
    return gateway;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}/push`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

beforeAll(async () => {
  gateway = await Gateway.open();
  system = await TestSystem.start({
    accounts: ACCOUNTS,
    replicas: { edge: 2 },
    env: {
      edge: {
        ROLLCALL_PUSH_URL: gateway.url,
        ROLLCALL_PUSH_WAIT: '30',
        NODE_OPTIONS: `--import ${new URL('quick-timer-c.mjs', import.meta.url).href}`,
      },
      registrar: { ROLLCALL_PUSH_SERVICES: 'fcm' },
    },
  });
});
afterEach(() => {
  gateway.refuses = false;
  gateway.wake = () => undefined;
  system.closePhones();
});
afterAll(async () => {
  await system.stop();
  await gateway.close();
});

interface Where {
  readonly edge: number;
  readonly transport?: 'udp' | 'tcp';
  /** What it is woken by. */
  readonly prid?: string;
}

async function callee(account: Account, { prid, ...where }: Where): Promise<Callee> {
  const phone = await system.phone(account, where);
  const push = prid === undefined ? '' : `;pn-provider=fcm;pn-param=project;pn-prid=${prid}`;
  const headers = [contactLine(`<${phone.contact}${push}>`), 'Expires: 600'];
  const answer = await ok(phone.register(600, { callId: token(), headers }));
  // RFC 8599 §5.6.1: the promise to push.
  if (prid !== undefined) expect(answer.header('feature-caps')).toContain('+sip.pns="fcm"');
  return new Callee(phone);
}

const caller = (edge = 1): Promise<Phone> => system.phone(freshAccount(), { edge });
const aorOf = ({ user }: Account): string => `sip:${user}@${system.domain}`;

/** The connection of a device is cut, as a mobile system does with one that sleeps. */
async function sleep(device: Callee, edge: string): Promise<void> {
  const streams = async (): Promise<number> =>
    (await system.metrics(edge)).sum('rollcall_sip_flows', { transport: 'tcp' });
  const before = await streams();
  device.phone.close();
  await eventually('the edge has seen it', async () => (await streams()) < before);
}

describe('timer C', () => {
  it('C12 a device that rings for ever and one that only says 100, one on each edge: both get CANCEL, the caller 408', async () => {
    const account = freshAccount();
    const rings = await callee(account, { edge: 2 });
    const tries = await callee(account, { edge: 1 });
    tries.ring = 100;
    const call = new OutgoingCall(await caller(), aorOf(account));
    const final = call.start();
    const both = await Promise.all([rings.call(), tries.call()]);
    await eventually('it rings', () => call.provisionals().includes(180));
    expect(both.some(({ cancelled }) => cancelled)).toBe(false);
    await refused(final, 408);
    expect(both.map(({ cancelled }) => cancelled)).toEqual([true, true]);
    await eventually('both 487 are acknowledged', () => both.every(({ acknowledged }) => acknowledged));
  });
});

describe('RFC 8599 push wake-up', () => {
  it('C01 C04 a device whose connection is gone is woken while another rings; it registers at the other edge, is called there late, and its answer wins', async () => {
    const account = freshAccount();
    const prid = token();
    const desk = await callee(account, { edge: 1 });
    await sleep(await callee(account, { edge: 2, transport: 'tcp', prid }), 'edge-2');
    let woken: Promise<Callee> | undefined;
    gateway.wake = () => {
      woken = callee(account, { edge: 1, transport: 'tcp', prid });
    };
    const call = new OutgoingCall(await caller(), aorOf(account));
    const final = call.start();
    const atDesk = await desk.call();
    await eventually('the push', () => woken !== undefined);
    const mobile = (await woken) as Callee;
    const late = await mobile.call();
    expect(atDesk.cancelled).toBe(false);
    mobile.answer(late, 200);
    const answer = await ok(final);
    call.acknowledge(answer);
    await eventually('the ACK', () => late.acknowledged);
    await eventually('the desk stops ringing', () => atDesk.cancelled);
    await ok(call.hangUp(answer));
    expect(gateway.pushes.filter((push) => push.prid === prid)).toEqual([
      { aor: aorOf(account), binding: expect.any(String) as string, provider: 'fcm', prid, param: 'project' },
    ]);
    await eventually(
      'the binding of the dead connection is gone',
      async () => (await system.admin.bindings(aorOf(account))).length === 2,
    );
  });

  it('C05 a gateway that refuses is 480 at once; the binding stays, and the next call wakes the device', async () => {
    const account = freshAccount();
    const prid = token();
    await sleep(await callee(account, { edge: 2, transport: 'tcp', prid }), 'edge-2');
    gateway.refuses = true;
    await refused(new OutgoingCall(await caller(), aorOf(account)).start(), 480);
    gateway.refuses = false;
    let woken: Promise<Callee> | undefined;
    gateway.wake = () => {
      woken = callee(account, { edge: 2, transport: 'tcp', prid });
    };
    const final = new OutgoingCall(await caller(), aorOf(account)).start();
    await eventually('the push', () => woken !== undefined);
    const mobile = (await woken) as Callee;
    mobile.answer(await mobile.call(), 200);
    await ok(final);
  });

  it('C06 a caller who gives up while the device is being woken gets 487, and the device is not called', async () => {
    const account = freshAccount();
    const prid = token();
    await sleep(await callee(account, { edge: 2, transport: 'tcp', prid }), 'edge-2');
    const call = new OutgoingCall(await caller(), aorOf(account));
    const final = call.start();
    await eventually('the push', () => gateway.pushes.some((push) => push.prid === prid));
    await ok(call.cancel());
    await refused(final, 487);
    const late = await callee(account, { edge: 2, transport: 'tcp', prid });
    await refused(new OutgoingCall(await caller(), `sip:nobody-${token()}@${system.domain}`).start(), 404);
    expect(late.calls).toHaveLength(0);
  });

  it('what the gateway is sent is signed under the key that the documentation names', () => {
    const secret = system.plan.services[0]?.env['ROLLCALL_SECRET'] ?? '';
    const key = createHmac('sha256', secret).update('rollcall push webhook 1').digest();
    expect(gateway.signatures.length).toBeGreaterThan(0);
    for (const { header, body } of gateway.signatures) {
      const [, seconds = '', mac] = /^t=(\d+),v1=([0-9a-f]+)$/.exec(header) ?? [];
      expect(mac).toBe(createHmac('sha256', key).update(`${seconds}.${body}`).digest('hex'));
    }
  });
});
