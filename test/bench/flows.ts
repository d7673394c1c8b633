/**
 * What idle flows and TLS handshakes cost one edge: resident memory for each idle flow, processor time for each handshake
 * and for each request. Not part of CI: it wants many thousands of file descriptors.
 *
 *   ulimit -n 65536
 *   node --import tsx --conditions=@rollcall/source test/bench/flows.ts [--tcp 20000] [--tls 5000] [--wss 5000]
 *     [--handshakes 2000] [--requests 20000] [--port-base 23100]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { cpuSeconds, processTree, residentMemory } from './processes.ts';
import { openWire, type SipTransport, type Wire } from '@rollcall/testkit';
import { commandLine } from '../setup/command-line.ts';

const USAGE = `node --import tsx --conditions=@rollcall/source test/bench/flows.ts [--tcp 20000] [--tls 5000] [--wss 5000]
  [--handshakes 2000] [--requests 20000] [--port-base 23100]
`;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const AT_ONCE = 50;
/** Local addresses, so that one of them does not run out of ports. */
const ADDRESSES = 8;

const { values } = commandLine(USAGE, {
  options: {
    tcp: { type: 'string', default: '20000' },
    tls: { type: 'string', default: '5000' },
    wss: { type: 'string', default: '5000' },
    handshakes: { type: 'string', default: '2000' },
    requests: { type: 'string', default: '20000' },
    'port-base': { type: 'string', default: '23100' },
  },
});
const portBase = Number(values['port-base']);

interface Up {
  readonly sip: readonly { readonly transport: SipTransport; readonly host: string; readonly port: number }[];
  readonly tlsAuthority: string;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A system as `npm start` makes it, with room for the flows. */
async function startSystem(): Promise<{ child: ChildProcess; up: Up; edge: number }> {
  const child = spawn(
    process.execPath,
    ['deploy/local/start.mjs', '--json', '--port-base', String(portBase)],
    {
      cwd: ROOT,
      env: {
        ...process.env,
        ROLLCALL_MAX_CONNECTIONS: '100000',
        ROLLCALL_MAX_CONNECTIONS_PER_ADDRESS: '100000',
        ROLLCALL_IDLE_TIMEOUT: '86400',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let out = '';
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  while (!out.includes('\n')) await sleep(100);
  return { child, up: JSON.parse(out) as Up, edge: edgeOf(child.pid ?? 0) };
}

/** The edge among the processes that were started. */
function edgeOf(root: number): number {
  const found = processTree(root).find((pid) => residentMemory(pid)?.name === 'edge');
  if (found === undefined) throw new Error('no edge was found');
  return found;
}

/** Resident memory of a process, KiB. */
const residentOf = (pid: number): number => (residentMemory(pid)?.mib ?? 0) * 1_024;
/** Processor time of a process so far, ms. */
const processorOf = (pid: number): number => cpuSeconds([pid]) * 1_000;

const nothing = (): void => undefined;
let serial = 0;
const options = (transport: SipTransport): string => {
  serial += 1;
  return (
    `OPTIONS sip:example.test SIP/2.0\r\nVia: SIP/2.0/${transport.toUpperCase()} a.invalid;rport;branch=z9hG4bKb${serial}\r\n` +
    `Max-Forwards: 70\r\nFrom: <sip:a@example.test>;tag=1\r\nTo: <sip:example.test>\r\nCall-ID: c${serial}\r\n` +
    `CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n`
  );
};

/** Opens a flow and waits for the answer to its first request. */
async function openFlow(up: Up, transport: SipTransport, ca: string, onMessage?: () => void): Promise<Wire> {
  const server = up.sip.find((one) => one.transport === transport);
  if (server === undefined) throw new Error(`no ${transport} listener`);
  serial += 1;
  let answered: () => void = () => undefined;
  const first = new Promise<void>((resolve) => (answered = resolve));
  const wire = await openWire({
    ...{ transport, server, tls: { ca } },
    local: { address: `127.0.0.${1 + (serial % ADDRESSES)}` },
    onMessage: () => {
      answered();
      onMessage?.();
    },
  });
  wire.send(options(transport));
  await first;
  return wire;
}

async function inBatches(count: number, work: () => Promise<void>): Promise<void> {
  for (let done = 0; done < count; done += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - done) }, work));
  }
}

/** Memory of the edge once it has had time to collect its garbage. */
async function settled(edge: number): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < 6; i += 1) {
    await sleep(2_000);
    least = Math.min(least, residentOf(edge));
  }
  return least;
}

async function idleFlows(
  up: Up,
  edge: number,
  ca: string,
  transport: SipTransport,
  count: number,
): Promise<void> {
  const before = await settled(edge);
  const wires: Wire[] = [];
  const began = performance.now();
  const cpu = processorOf(edge);
  await inBatches(count, async () => {
    wires.push(await openFlow(up, transport, ca));
  });
  const took = (performance.now() - began) / 1_000;
  const each = (processorOf(edge) - cpu) / count;
  const after = await settled(edge);
  say(
    `${transport}: ${wires.length} idle flows, ${((after - before) / count).toFixed(1)} KiB resident each ` +
      `(${(before / 1_024).toFixed(0)} to ${(after / 1_024).toFixed(0)} MiB); opened and asked once in ${took.toFixed(1)} s, ${each.toFixed(3)} ms of CPU each`,
  );
  for (const wire of wires) wire.close();
  await sleep(3_000);
}

/** Full TLS handshakes, then resumed ones, as after an edge has died. */
async function handshakes(up: Up, edge: number, ca: string, count: number): Promise<void> {
  const server = up.sip.find((one) => one.transport === 'tls');
  if (server === undefined) return;
  let session: Buffer | undefined;
  const shake = (resume: boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket: TLSSocket = connectTls({
        ...{ host: server.host, port: server.port, ca },
        ...(resume && session !== undefined ? { session } : {}),
      });
      socket.on('error', reject);
      socket.on('data', () => {
        session ??= socket.getSession();
        if (socket.isSessionReused() !== resume)
          reject(new Error('not the kind of handshake that was wanted'));
        socket.destroy();
        resolve();
      });
      socket.on('secureConnect', () => socket.write(options('tls')));
    });
  const plain = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const tcp = up.sip.find((one) => one.transport === 'tcp') ?? server;
      const socket: Socket = connect(tcp.port, tcp.host, () => socket.write(options('tcp')));
      socket.on('error', reject).on('data', () => {
        socket.destroy();
        resolve();
      });
    });
  for (const [name, work] of [
    ['TCP connection and OPTIONS', plain],
    ['TLS 1.3, P-256, full', () => shake(false)],
    ['TLS 1.3, P-256, resumed', () => shake(true)],
  ] as const) {
    const cpu = processorOf(edge);
    const began = performance.now();
    await inBatches(count, work);
    const each = (processorOf(edge) - cpu) / count;
    say(
      `${name}: ${each.toFixed(3)} ms of CPU each, ${((count * 1_000) / (performance.now() - began)).toFixed(0)}/s`,
    );
  }
}

/** Processor time of the edge for one OPTIONS, over each transport. */
async function requests(up: Up, edge: number, ca: string, count: number): Promise<void> {
  const window = 200;
  for (const { transport } of up.sip) {
    const run = { answered: 0, sent: 0, more: nothing };
    let finish: () => void = () => undefined;
    const all = new Promise<void>((resolve) => (finish = resolve));
    const wire = await openFlow(up, transport, ca, () => {
      run.answered += 1;
      if (run.answered > count) finish();
      else if (run.sent < count) run.more();
    });
    run.more = () => {
      run.sent += 1;
      wire.send(options(transport));
    };
    const cpu = processorOf(edge);
    for (let i = 0; i < window; i += 1) run.more();
    await Promise.race([all, sleep(120_000)]);
    say(
      `${transport}: ${(((processorOf(edge) - cpu) * 1_000) / run.answered).toFixed(1)} µs of CPU for each OPTIONS (${run.answered})`,
    );
    wire.close();
  }
}

const { child, up, edge } = await startSystem();
try {
  const ca = readFileSync(up.tlsAuthority, 'utf8');
  // Memory first: what has been freed by then hides what a flow takes.
  for (const transport of ['tcp', 'tls', 'wss'] as const) {
    const count = Number(values[transport]);
    if (count > 0) await idleFlows(up, edge, ca, transport, count);
  }
  if (Number(values.handshakes) > 0) await handshakes(up, edge, ca, Number(values.handshakes));
  if (Number(values.requests) > 0) await requests(up, edge, ca, Number(values.requests));
} finally {
  child.kill('SIGTERM');
}
process.exit(0);
