import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ALICE, BOB, eventually, TestSystem } from '@rollcall/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { run } from './tools.ts';

let system: TestSystem;
let folder: string;
let child: ChildProcess | undefined;
beforeAll(async () => {
  system = await TestSystem.start({ env: { edge: { ROLLCALL_DIGEST_ALGORITHMS: 'MD5' } } });
  // sipsak takes the host that it sends to for the domain.
  const { domains } = (await system.store()).users;
  await domains.put({ name: system.domain, aliases: ['127.0.0.1'] });
  folder = mkdtempSync(join(tmpdir(), 'rollcall-phones-'));
  writeFileSync(join(folder, 'ca.pem'), system.authority);
});
afterEach(() => {
  child?.kill('SIGKILL');
  child = undefined;
});
afterAll(async () => {
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('sipsak', () => {
  it.each(['udp', 'tcp'] as const)('OPTIONS to the edge over %s is answered 200', async (transport) => {
    const { host, port } = system.sip(transport);
    const ran = await run('sipsak', ['-s', `sip:${host}:${port}`, '-E', transport, '-H', '127.0.0.1']);
    expect(ran.code, ran.output).toBe(0);
  });

  it('registers with digest, and the binding shows (R01, R02, A01)', async () => {
    const { host, port } = system.sip('udp');
    const contact = 'sip:bob@127.0.0.1:5099';
    const who = [
      '-s',
      `sip:${BOB.user}@${host}`,
      '-u',
      BOB.user,
      '-a',
      BOB.password,
      '-p',
      `${host}:${port}`,
    ];
    const args = ['-U', '-C', contact, ...who, '-i'];
    const ran = await run('sipsak', [...args, '-x', '300', '-H', '127.0.0.1', '-vv']);
    expect(ran.code, ran.output).toBe(0);
    const shown = await system.admin.bindings(`sip:${BOB.user}@${system.domain}`);
    expect(shown.map((one) => one.contact)).toEqual([contact]);
  });
});

/** Starts baresip with one account and no sound; its home is a folder of its own. */
function baresip(name: string, account: string): { readonly output: () => string } {
  const home = join(folder, name);
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'accounts'), `${account}\n`);
  writeFileSync(
    join(home, 'config'),
    [
      'sip_listen 127.0.0.1:0',
      `sip_cafile ${join(folder, 'ca.pem')}`,
      'sip_verify_server yes',
      'audio_source aubridge,nil',
      'audio_player aubridge,nil',
      'module_path /usr/lib/baresip/modules',
      'module account.so',
      'module g711.so',
      'module_tmp uuid.so',
      'module_tmp account.so',
      'module_app menu.so',
      'module_app mwi.so',
      'module_app presence.so',
      '',
    ].join('\n'),
  );
  writeFileSync(join(home, 'contacts'), `"Bob" <sip:bob@${system.domain}>;presence=p2p\n`);
  child = spawn('baresip', ['-f', home, '-v', '-s'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  child.stdout?.on('data', (data: Buffer) => (output += data.toString('latin1')));
  child.stderr?.on('data', (data: Buffer) => (output += data.toString('latin1')));
  child.on('error', (error) => (output += error.message));
  return { output: () => output };
}

describe('baresip', () => {
  it.each(['udp', 'tcp', 'tls'] as const)(
    'over %s registers, subscribes to its mailbox and is notified',
    async (transport) => {
      const { host, port } = system.sip(transport);
      const phone = baresip(
        transport,
        `<sip:${ALICE.user}@${system.domain};transport=${transport}>;auth_user=${ALICE.user};auth_pass=${ALICE.password}` +
          `;outbound="sip:${host}:${port};transport=${transport}";regint=60;mwi=yes;pubint=0`,
      );
      const aor = `sip:${ALICE.user}@${system.domain}`;
      await eventually(
        'the binding',
        async () => (await system.admin.bindings(aor)).length > 0,
        15_000,
      ).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${phone.output().slice(-4000)}`);
      });
      await eventually(
        'a NOTIFY answered 200',
        () => /NOTIFY sip:[^]*Messages-Waiting/.test(phone.output()),
        15_000,
      ).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${phone.output().slice(-6000)}`);
      });
      child?.stdin?.write('/quit\n');
      child?.kill('SIGTERM');
      await eventually(
        'the binding is gone when the phone quits',
        async () => (await system.admin.bindings(aor)).length === 0,
        15_000,
      );
      await sleep(100);
    },
  );
});
