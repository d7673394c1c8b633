import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALICE, BOB, eventually, freePortBase, TestSystem, type Account } from '@rollcall/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';

let system: TestSystem;
let folder: string;
const children: ChildProcess[] = [];
const sockets: Socket[] = [];
beforeAll(async () => {
  system = await TestSystem.start({
    replicas: { edge: 2 },
    // baresip 1.0 knows MD5 only.
    env: { edge: { ROLLCALL_DIGEST_ALGORITHMS: 'MD5' } },
  });
  folder = mkdtempSync(join(tmpdir(), 'rollcall-baresip-'));
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  for (const child of children) child.kill('SIGKILL');
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

const PATIENCE_MS = 20_000;

interface Baresip {
  /** A command of its menu. */
  command(command: string, params?: string): void;
  readonly output: () => string;
}

/** A baresip with one account, no sound, and a control socket (netstrings of JSON). */
async function baresip(
  account: Account,
  edge: number,
  transport: 'udp' | 'tcp',
  port: number,
): Promise<Baresip> {
  const { host, port: sipPort } = system.sip(transport, edge);
  const home = join(folder, account.user);
  mkdirSync(home, { recursive: true });
  writeFileSync(
    join(home, 'accounts'),
    `<sip:${account.user}@${system.domain};transport=${transport}>;auth_user=${account.user};auth_pass=${account.password}` +
      `;outbound="sip:${host}:${String(sipPort)};transport=${transport}";regint=600;answermode=auto;pubint=0;audio_codecs=PCMU\n`,
  );
  const config = [
    'sip_listen 127.0.0.1:0',
    'audio_source aubridge,nil',
    'audio_player aubridge,nil',
    `ctrl_tcp_listen 127.0.0.1:${String(port)}`,
    'module_path /usr/lib/baresip/modules',
    ...['account', 'g711', 'aubridge', 'uuid'].map((name) => `module ${name}.so`),
    ...['menu', 'ctrl_tcp'].map((name) => `module_app ${name}.so`),
    '',
  ];
  writeFileSync(join(home, 'config'), config.join('\n'));
  writeFileSync(join(home, 'contacts'), '');
  const child = spawn('baresip', ['-f', home, '-v', '-s'], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString('latin1')));
  child.stderr.on('data', (data: Buffer) => (output += data.toString('latin1')));
  const control = await controlOf(port, () => output);
  return {
    command: (command, params) => {
      const text = JSON.stringify({
        command,
        ...(params === undefined ? undefined : { params }),
        token: '1',
      });
      control.write(`${String(text.length)}:${text},`);
    },
    output: () => output,
  };
}

async function controlOf(port: number, output: () => string): Promise<Socket> {
  let found: Socket | undefined;
  await eventually(
    'the control socket',
    () =>
      new Promise<boolean>((resolve) => {
        const socket = connect({ host: '127.0.0.1', port });
        socket.on('error', () => {
          resolve(false);
        });
        socket.on('connect', () => {
          found = socket;
          resolve(true);
        });
      }),
    PATIENCE_MS,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${output().slice(-4_000)}`);
  });
  if (found === undefined) throw new Error('no control socket');
  sockets.push(found);
  return found;
}

it('C01 E03 E10 a call of baresip to baresip through two edges: ringing, answered, acknowledged, ended', async () => {
  // Two ports of a block that no system uses: ours is taken.
  const free = await freePortBase();
  const alice = await baresip(ALICE, 1, 'tcp', free);
  const bob = await baresip(BOB, 2, 'udp', free + 1);
  for (const { user } of [ALICE, BOB])
    await eventually(
      `${user} is registered`,
      async () => (await system.admin.bindings(`sip:${user}@${system.domain}`)).length === 1,
      PATIENCE_MS,
    );
  const sees = (phone: Baresip, what: string, pattern: RegExp): Promise<boolean> =>
    eventually(what, () => pattern.test(phone.output()), PATIENCE_MS).catch((error: unknown) => {
      throw new Error(
        `${String(error)}\nalice:\n${alice.output().slice(-5_000)}\nbob:\n${bob.output().slice(-5_000)}`,
      );
    });
  alice.command('dial', `sip:${BOB.user}@${system.domain}`);
  await sees(bob, 'the INVITE', /INVITE sip:[^\r]*\r\n/);
  await sees(alice, 'the 200', /SIP\/2\.0 200 (?:OK|Answering)[^]*CSeq: \d+ INVITE/);
  await sees(bob, 'the ACK', /ACK sip:[^\r]*\r\n/);
  await sees(alice, 'the call is up', /Call established/);
  bob.command('hangup');
  await sees(alice, 'the BYE', /BYE sip:[^\r]*\r\n/);
  await sees(bob, 'its 200', /SIP\/2\.0 200 OK[^]*CSeq: \d+ BYE/);
  const inner = system.plan.services.map(({ env }) => env['ROLLCALL_INNER_PORT']);
  for (const port of inner) {
    expect(alice.output()).not.toContain(`127.0.0.1:${String(port)}`);
    expect(bob.output()).not.toContain(`127.0.0.1:${String(port)}`);
  }
});
