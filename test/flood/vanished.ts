import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { numberedAccounts } from '@rollcall/local';
import { ALICE, eventually, TestSystem, token, type Phone } from '@rollcall/testkit';
import { StreamDevice } from './stream-device.ts';

export interface VanishedReport {
  readonly flows: number;
  /** Seconds from the moment when all packets are dropped until the edge has no more than half, 1 % and none of the flows. */
  readonly goneS: { readonly half: number; readonly most: number; readonly all: number };
  /** What requests for them were answered meanwhile, and after. */
  readonly meanwhile: Readonly<Record<string, number>>;
  readonly afterwards: Readonly<Record<string, number>>;
  /** Flows of others that were cut with them. */
  readonly others: number;
}

/** Devices are at addresses of their own, so that these can be cut off; the rest of the system is at 127.0.0.1. */
const NETWORK = '127.0.64.0/24';
const address = (n: number): string => `127.0.64.${String(1 + (n % 200))}`;
const OPENED_AT_ONCE = 200;
const STAYING = 20;
const PATIENCE_MS = 300_000;
const LOOK_MS = 500;
const SAMPLED = 50;
/** RFC 5626 §4.4.1. */
const KEEP_ALIVE_MS = 30_000;

/**
 * As many TCP flows as asked for are registered, then every packet to and from them is dropped without a word. Wants a network namespace of
 * its own, in which it may change routes (`unshare -n`).
 */
export async function vanished(flows: number): Promise<VanishedReport> {
  const accounts = [...numberedAccounts(flows + STAYING)];
  const system = await TestSystem.start({ accounts: [ALICE, ...accounts] });
  const server = system.sip('tcp');
  const all = accounts.map((account, n) => {
    const place = n < flows ? { localAddress: address(n) } : { keepAliveMs: KEEP_ALIVE_MS };
    return new StreamDevice({
      ...{ account, domain: system.domain, baseMs: 1000, comesBack: false, ...place },
      ...{ servers: [server], onRegistered: () => undefined },
    });
  });
  const open = async (): Promise<number> =>
    (await system.metrics('edge-1')).sum('rollcall_sip_flows', { transport: 'tcp' });
  try {
    for (let begun = 0; begun < all.length; begun += OPENED_AT_ONCE) {
      const some = all.slice(begun, begun + OPENED_AT_ONCE);
      for (const device of some) device.open();
      await eventually('they register', () => some.every(({ registered }) => registered), PATIENCE_MS);
    }
    const caller = await system.phone(ALICE);
    execFileSync('ip', ['route', 'add', 'blackhole', NETWORK, 'table', 'local']);
    const began = performance.now();
    const since = (): number => Math.round((performance.now() - began) / 100) / 10;
    const meanwhile: Record<string, number> = {};
    const gone = { half: Number.NaN, most: Number.NaN, all: Number.NaN };
    for (let n = 0; Number.isNaN(gone.all) && performance.now() - began < PATIENCE_MS; n += 1) {
      const left = (await open()) - STAYING;
      if (left <= flows / 2 && Number.isNaN(gone.half)) gone.half = since();
      if (left <= flows / 100 && Number.isNaN(gone.most)) gone.most = since();
      if (left <= 0) gone.all = since();
      if (n % 4 === 0) await ask(caller, accounts[n % flows]?.user ?? '', meanwhile);
      await sleep(LOOK_MS);
    }
    const afterwards: Record<string, number> = {};
    for (let n = 0; n < SAMPLED; n += 1) await ask(caller, accounts[n]?.user ?? '', afterwards);
    return { flows, goneS: gone, meanwhile, afterwards, others: STAYING - (await open()) };
  } finally {
    for (const device of all) device.close();
    await system.stop();
  }
}

async function ask(phone: Phone, user: string, answers: Record<string, number>): Promise<void> {
  const uri = `sip:${user}@${phone.options.domain}`;
  const status = await phone.request('OPTIONS', { uri, to: `<${uri}>`, callId: token() }).then(
    ({ status: told }) => String(told),
    () => 'none',
  );
  answers[status] = (answers[status] ?? 0) + 1;
}
