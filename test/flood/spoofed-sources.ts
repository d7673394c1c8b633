import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ALICE, Phone, ROOT, TestSystem, token } from '@rollcall/testkit';

export interface SpoofedOptions {
  /** Datagrams, each from another address. */
  readonly sources: number;
  /** Datagrams a second; 0 for as many as one core can send. */
  readonly perSecond: number;
}

export interface SpoofedReport {
  readonly sent: number;
  readonly seconds: number;
  readonly bytesOut: number;
  /** What came back to the senders while they listened. */
  readonly answers: number;
  readonly bytesBack: number;
  /** Answers that the edge has sent, to phones too. */
  readonly answered: number;
  /** Phones that ask all the while, each time from another port: how often, how often in vain, and ms until the 200. */
  readonly phones: {
    readonly tried: number;
    readonly failed: number;
    readonly p50: number;
    readonly p99: number;
  };
  /** Resident memory of the edge, MiB: before, at most, and 40 s after (timer J is over). */
  readonly memory: { readonly before: number; readonly most: number; readonly after: number };
  /** What the guard remembers, and what it may. */
  readonly remembered: number;
  readonly keysWritten: number;
  readonly ended: readonly string[];
}

const WORK = join(ROOT, '.bench');
const SOURCE = fileURLToPath(new URL('spoof.c', import.meta.url));
const MIB = 1_048_576;
const PHONE_EVERY_MS = 100;
const SAMPLE_MS = 1000;
const PHONES = 10;

interface Sent {
  readonly sent: number;
  readonly seconds: number;
  readonly bytesOut: number;
  readonly answers: number;
  readonly bytesBack: number;
}

async function send(port: number, { sources, perSecond }: SpoofedOptions): Promise<Sent> {
  mkdirSync(WORK, { recursive: true });
  const binary = join(WORK, 'spoof');
  execFileSync('cc', ['-O2', '-o', binary, SOURCE], { stdio: 'inherit' });
  const child = spawn(binary, [port, sources, perSecond].map(String), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  await new Promise((done) => child.on('close', done));
  return JSON.parse(printed) as Sent;
}

/** REGISTERs from as many addresses as asked for, which no one of them ever goes on with, while a phone registers. */
export async function spoofed(options: SpoofedOptions, restS = 40): Promise<SpoofedReport> {
  const system = await TestSystem.start();
  const resident = async (): Promise<number> =>
    Math.round((await system.metrics('edge-1')).sum('process_resident_memory_bytes') / MIB);
  const keys = async (): Promise<number> => {
    const store = await system.store();
    const names: string[] = [];
    for await (const some of store.client.scan('rc:{*}:r:*')) names.push(...some);
    return names.length;
  };
  const took: number[] = [];
  let failed = 0;
  const one = async (): Promise<void> => {
    const began = performance.now();
    let phone: Phone | undefined;
    try {
      phone = await Phone.open({
        ...{ transport: 'udp' as const, server: system.sip('udp'), domain: system.domain, ...ALICE },
      });
      const { status } = await phone.request('REGISTER', { callId: token() });
      if (status === 200) took.push(performance.now() - began);
      else failed += 1;
    } catch {
      failed += 1;
    } finally {
      phone?.close();
    }
  };
  try {
    for (let n = 0; n < 20; n += 1) await one();
    took.length = 0;
    const before = await resident();
    const keysBefore = await keys();
    let most = before;
    let running = true;
    const sending = send(system.sip('udp').port, options).finally(() => (running = false));
    const isRunning = (): boolean => running;
    const phones = Array.from({ length: PHONES }, async () => {
      while (isRunning()) {
        await one();
        await sleep(PHONE_EVERY_MS);
      }
    });
    while (isRunning()) {
      most = Math.max(most, await resident());
      await sleep(SAMPLE_MS);
    }
    await Promise.all(phones);
    const { sent, seconds, bytesOut, answers, bytesBack } = await sending;
    most = Math.max(most, await resident());
    await sleep(restS * 1000);
    const metrics = await system.metrics('edge-1');
    const sorted = [...took].sort((a, b) => a - b);
    const at = (share: number): number => Math.round(sorted[Math.floor(sorted.length * share)] ?? 0);
    return {
      ...{ sent, seconds, bytesOut, answers, bytesBack },
      answered: metrics.sum('rollcall_sip_responses_sent_total'),
      phones: { tried: took.length + failed, failed, p50: at(0.5), p99: at(0.99) },
      memory: { before, most, after: await resident() },
      remembered: metrics.sum('rollcall_bound_size', { queue: 'guard' }),
      keysWritten: (await keys()) - keysBefore,
      ended: system.system.services
        .filter(({ process }) => process.exited)
        .map(({ planned }) => planned.name),
    };
  } finally {
    await system.stop();
  }
}
