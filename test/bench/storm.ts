import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildGenerator } from './generator.ts';
import { processTree, residentMemory } from './processes.ts';
import { drawCurves } from './storm-picture.ts';
import { commandLine } from '../setup/command-line.ts';

const WORK = resolve('.bench');
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const USAGE = `npm run storm -- [options]
  --devices N     that come back (default 100000)
  --seconds N     in which they come back (default 60)
  --edges N       (default 2)
  --picture FILE  writes the curve as SVG
`;

/** What is awaited of each call: a device waits as long as RFC 3261 timer F, then asks again. */
const CALL_TIMEOUT_MS = 32_000;
const START_TIMEOUT_MS = 300_000;
const PORT_BASE = 15_700;
const MAX_ROUNDS = 10;
const OK = 200;

interface Ready {
  readonly sip: readonly { readonly transport: string; readonly port: number }[];
}

/** `npm start` for outside tools: its ready line says where it listens. */
async function startSystem(devices: number, edges: number): Promise<{ child: ChildProcess; ready: Ready }> {
  const args = [
    '--json',
    '--port-base',
    PORT_BASE,
    '--users',
    devices,
    '--replicas',
    `edge=${edges},registrar=2`,
  ];
  const child = spawn(process.execPath, [`${ROOT}deploy/local/start.mjs`, ...args.map(String)], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, OTEL_TRACES_EXPORTER: 'none' },
  }); // prettier-ignore
  const ready = await new Promise<Ready>((done, failed) => {
    let text = '';
    const timer = setTimeout(() => {
      failed(new Error('the system did not get ready'));
    }, START_TIMEOUT_MS);
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const line = text.split('\n').find((one) => one.startsWith('{'));
      if (line === undefined || !text.includes('\n')) return;
      clearTimeout(timer);
      done(JSON.parse(line) as Ready);
    });
    child.once('exit', () => {
      failed(new Error('the system ended at start'));
    });
  });
  return { child, ready };
}

interface Call {
  readonly user: number;
  readonly code: number;
  readonly end: number;
}

interface Wave {
  readonly port: number;
  readonly first: number;
  readonly count: number;
  readonly perSecond: number;
  /** Digits of a user's number. */
  readonly width: number;
}

/** One wave against one edge. */
async function runWave(binary: string, wave: Wave): Promise<Call[]> {
  const log = resolve(WORK, `storm-${wave.port}.log`);
  rmSync(log, { force: true });
  const settings = {
    ...{ p: wave.port, m: 'reg', r: Math.ceil(wave.perSecond), n: wave.count, d: 600, s: 16, L: log },
    ...{ U: wave.first, u: wave.count, W: wave.width, T: CALL_TIMEOUT_MS, o: 60_000 },
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`-${name}`, value]);
  const child = spawn(binary, args.map(String), { stdio: ['ignore', 'ignore', 'inherit'] }); // prettier-ignore
  await new Promise((done) => child.on('close', done));
  return readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [user = '', code = '', , end = ''] = line.trim().split(/\s+/);
      return { user: Number(user.replace(/\D/g, '')), code: Number(code), end: Number(end) };
    });
}

async function main(): Promise<void> {
  const { values } = commandLine(USAGE, {
    options: {
      devices: { type: 'string', default: '100000' },
      seconds: { type: 'string', default: '60' },
      edges: { type: 'string', default: '2' },
      picture: { type: 'string', default: '' },
    },
  });
  const [devices, seconds, edges] = [values.devices, values.seconds, values.edges].map(Number) as [number, number, number]; // prettier-ignore
  mkdirSync(WORK, { recursive: true });
  const binary = buildGenerator(WORK);
  const { child, ready } = await startSystem(devices, edges);
  try {
    const ports = ready.sip.filter(({ transport }) => transport === 'udp').map(({ port }) => port);
    const share = Math.ceil(devices / ports.length);
    const width = devices > 99_999 ? 6 : 5;
    const began = Date.now() / 1000;
    const registered = new Map<number, number>();
    const codes = new Map<number, number>();
    let calls = 0;
    for (let round = 0; registered.size < devices && round < MAX_ROUNDS; round++) {
      const waves = ports.map((port, n) =>
        runWave(binary, { port, first: n * share + 1, count: share, perSecond: share / seconds, width }),
      );
      const offset = Date.now() / 1000 - began;
      for (const call of (await Promise.all(waves)).flat()) {
        calls += 1;
        codes.set(call.code, (codes.get(call.code) ?? 0) + 1);
        if (call.code !== OK) continue;
        if (!registered.has(call.user)) registered.set(call.user, offset + call.end);
      }
    }
    const times = [...registered.values()].sort((a, b) => a - b);
    const at = (share_: number): string =>
      `${(times[Math.min(times.length - 1, Math.floor(devices * share_))] ?? Number.NaN).toFixed(1)} s`;
    const memory = processTree(child.pid ?? 0)
      .map(residentMemory)
      .filter((row) => row !== undefined)
      .map(({ name, mib }) => `${name} ${mib.toFixed(0)}`);
    process.stdout.write(
      [
        `${devices} devices in ${seconds} s against ${ports.length} edges: ${registered.size} registered, ${calls} calls`,
        `half after ${at(0.5)}, 99.9 % after ${at(0.999)}, all after ${at(1)}`,
        `final answers: ${[...codes].map(([code, count]) => `${code}: ${count}`).join(', ')}`,
        `resident MiB: ${memory.join(', ')}`,
        '',
      ].join('\n'),
    );
    if (values.picture !== '') writeFileSync(values.picture, drawCurves(times, devices, seconds));
    process.exitCode = registered.size === devices ? 0 : 1;
  } finally {
    child.kill('SIGINT');
    await new Promise((done) => child.once('exit', done));
  }
}

await main();
