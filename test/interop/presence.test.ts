import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALICE, BOB, eventually, TestSystem, type Account } from '@rollcall/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

/** baresip and linphonec watch each other's presence; baresip its mailbox too. */
let system: TestSystem;
let folder: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  system = await TestSystem.start({ env: { edge: { ROLLCALL_DIGEST_ALGORITHMS: 'MD5' } } });
  folder = mkdtempSync(join(tmpdir(), 'rollcall-presence-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

const PATIENCE_MS = 30_000;
const aorOf = ({ user }: Account): string => `sip:${user}@${system.domain}`;

interface Driven {
  /** The messages and whatever else it has written. */
  output(): string;
  command(line: string): void;
}

function start(program: string, args: readonly string[], home: string, log?: string): Driven {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, HOME: home },
  });
  children.push(child);
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString('latin1')));
  child.stderr.on('data', (data: Buffer) => (output += data.toString('latin1')));
  child.on('error', (error) => (output += error.message));
  return {
    output: () => (log === undefined ? output : output + readIfThere(log)),
    command: (line) => child.stdin.write(`${line}\n`),
  };
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

/** baresip that watches a friend, publishes its own presence and subscribes to its mailbox; it writes every message. */
function baresip(account: Account, friend: Account): Driven {
  const home = join(folder, 'baresip');
  mkdirSync(home, { recursive: true });
  const { host, port } = system.sip('udp');
  const own =
    `<${aorOf(account)}>;auth_user=${account.user};auth_pass=${account.password}` +
    `;outbound="sip:${host}:${port};transport=udp";regint=60;mwi=yes;pubint=60`;
  const modules = ['account', 'menu', 'mwi', 'presence', 'contact'];
  const config = [
    ...['sip_listen 127.0.0.1:0', 'audio_source aubridge,nil', 'audio_player aubridge,nil'],
    ...['module_path /usr/lib/baresip/modules', 'module stdio.so', 'module g711.so', 'module_tmp uuid.so'],
    ...modules.map((name) => `module_app ${name}.so`),
    '',
  ];
  writeFileSync(join(home, 'accounts'), `${own}\n`);
  writeFileSync(join(home, 'config'), config.join('\n'));
  writeFileSync(join(home, 'contacts'), `"Friend" <${aorOf(friend)}>;presence=p2p\n`);
  return start('baresip', ['-f', home, '-v', '-s'], home);
}

/** linphonec likewise; its log has every message. */
function linphonec(account: Account, friend: Account): Driven {
  const home = join(folder, 'linphone');
  // It makes its database there, but not the folder.
  mkdirSync(join(home, '.local/share/linphone'), { recursive: true });
  const { host, port } = system.sip('udp');
  const log = join(home, 'log');
  const config = [
    ...['[sip]', 'sip_port=-1', 'sip_tcp_port=0', 'sip_tls_port=0', 'default_proxy=0', 'guess_hostname=1'],
    ...[
      '[proxy_0]',
      `reg_proxy=<sip:${host}:${port};transport=udp>`,
      `reg_route=<sip:${host}:${port};transport=udp;lr>`,
    ],
    ...[`reg_identity="Linphone" <${aorOf(account)}>`, 'reg_expires=600', 'reg_sendregister=1'],
    ...['publish=1', 'publish_expires=600'],
    ...['[auth_info_0]', `username=${account.user}`, `passwd=${account.password}`, `realm=${system.domain}`],
    ...['[friend_0]', `url="Friend" <${aorOf(friend)}>`, 'pol=accept', 'subscribe=1', ''],
  ];
  writeFileSync(join(home, 'linphonerc'), config.join('\n'));
  return start('linphonec', ['-c', join(home, 'linphonerc'), '-d', '6', '-l', log], home, log);
}

/** Waits, and shows the end of what the phones wrote when it was in vain. */
async function until(what: string, holds: () => boolean, ...phones: readonly Driven[]): Promise<void> {
  await eventually(what, holds, PATIENCE_MS).catch((error: unknown) => {
    throw new Error(
      `${String(error)}\n${phones.map((phone) => phone.output().slice(-6_000)).join('\n=====\n')}`,
    );
  });
}

/** The NOTIFYs of a package that a phone wrote down. */
const notified = (phone: Driven, event: string): string[] =>
  phone
    .output()
    .split(/(?=NOTIFY sip:)/)
    .filter((text) => text.startsWith('NOTIFY sip:') && new RegExp(`^Event: ${event}`, 'im').test(text));

describe('baresip and linphonec', () => {
  it('S13 S15 S27 see each other come and change; messages waiting are told', async () => {
    const bob = linphonec(BOB, ALICE);
    const alice = baresip(ALICE, BOB);
    const both = [alice, bob];
    const sees = (phone: Driven, text: RegExp) => (): boolean =>
      notified(phone, 'presence').some((notify) => text.test(notify));
    await until(
      'baresip sees what linphonec publishes',
      sees(alice, /<contact priority="0.8">sip:bob@/),
      ...both,
    );
    await until('linphonec sees baresip online', sees(bob, /entity="sip:alice@[^]*<basic>open</), ...both);
    alice.command('/presence_offline');
    await until('linphonec sees baresip offline', sees(bob, /entity="sip:alice@[^]*<basic>closed</), ...both);
    // linphonec 5.1 knows no message-summary.
    const path = `/v1/aors/${encodeURIComponent(aorOf(ALICE))}/mailbox`;
    const mailbox = { counts: { 'voice-message': { new: 3, old: 1 } } };
    expect((await system.admin.call('PUT', path, mailbox)).status).toBe(200);
    const told = (): boolean =>
      notified(alice, 'message-summary').some((notify) => /Voice-Message: 3\/1/.test(notify));
    await until('baresip is told of its messages', told, ...both);
  }, 120_000);
});
