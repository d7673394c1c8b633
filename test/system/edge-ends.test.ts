import { eventually, TestSystem, token, type Account, type Phone } from '@rollcall/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Callee, OutgoingCall } from './call-phones.ts';
import { ACCOUNTS, freshAccount, ok } from './support.ts';

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start({ accounts: ACCOUNTS, replicas: { edge: 2 } });
});
afterEach(() => system.closePhones());
afterAll(() => system.stop());

const LEASE_MS = 15_000;
/** The lease is believed for a moment by other edges; the rest is room for a slow machine. */
const SLACK_MS = 10_000;

const aorOf = ({ user }: Account): string => `sip:${user}@${system.domain}`;

async function registered(account: Account, edge: number, transport: 'udp' | 'tcp' = 'tcp'): Promise<Phone> {
  const phone = await system.phone(account, { edge, transport });
  await ok(phone.register(600, { callId: token() }));
  return phone;
}

describe('an edge that ends', () => {
  it('E12 K26 it drains: unready, no new connections, devices are moved, a call in progress comes to its end, then the lease is given back', async () => {
    const accounts = Array.from({ length: 20 }, () => freshAccount());
    const phones = await Promise.all(accounts.map((account) => registered(account, 2)));
    const bob = freshAccount();
    const device = new Callee(await registered(bob, 2));
    const call = new OutgoingCall(await system.phone(freshAccount(), { edge: 1 }), aorOf(bob));
    const final = call.start();
    const ringing = await device.call();
    await eventually('it rings', () => call.provisionals().length > 0);

    const { process: child } = system.service('edge-2');
    child.kill('SIGTERM');
    await eventually('it says that it is not ready', async () => {
      const answer = await fetch(system.opsUrl('edge-2', '/readyz'));
      return answer.status === 503;
    });
    await eventually('idle connections are closed', () => phones.every(({ wire }) => wire.closed));
    await expect(system.phone(freshAccount(), { edge: 2, transport: 'tcp' })).rejects.toThrow();
    expect(device.phone.wire.closed).toBe(false);
    const store = await system.store();
    expect(await store.edges.find('edge-2')).toBeDefined();

    device.answer(ringing, 200);
    await ok(final);
    await child.ended;
    expect(await store.edges.find('edge-2')).toBeUndefined();
    // Devices come back through the other edge.
    const moved = await Promise.all(accounts.map((account) => registered(account, 1)));
    const back = new Callee(moved[0] as Phone);
    const again = new OutgoingCall(
      await system.phone(freshAccount(), { edge: 1 }),
      aorOf(accounts[0] as Account),
    );
    const answered = again.start();
    back.answer(await back.call(), 200);
    await ok(answered);
    await system.revive('edge-2');
  });

  it(
    'E11 it is killed: its bindings are offered no longer than its lease, and its devices come back through another',
    { timeout: 90_000 },
    async () => {
      const account = freshAccount();
      await registered(account, 2, 'udp');
      const phone = await system.phone(freshAccount(), { edge: 1 });
      const options = async (): Promise<number> => {
        const uri = aorOf(account);
        return (await phone.request('OPTIONS', { uri, to: `<${uri}>`, callId: token() })).status;
      };
      expect(await options()).toBe(200);
      await system.kill('edge-2');
      const began = performance.now();
      const store = await system.store();
      await eventually(
        'the lease is over',
        async () => (await store.edges.find('edge-2')) === undefined,
        LEASE_MS + SLACK_MS,
      );
      const lease = performance.now() - began;
      // No branch is sent there any more: the answer comes at once.
      await eventually(
        'nobody offers it',
        async () => {
          const asked = performance.now();
          return (await options()) === 480 && performance.now() - asked < 2_000;
        },
        SLACK_MS,
      );
      expect(lease).toBeLessThan(LEASE_MS + SLACK_MS);

      const back = new Callee(await registered(account, 1));
      const call = new OutgoingCall(phone, aorOf(account));
      const final = call.start();
      back.answer(await back.call(), 200);
      await ok(final);
      await system.revive('edge-2');
    },
  );
});
