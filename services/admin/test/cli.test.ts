import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { eventually } from '@rollcall/testkit';
import { RestClient } from '../src/cli/client.ts';
import { runCommand } from '../src/cli/commands.ts';
import { ladderText } from '../src/cli/print.ts';
import { binding, harness, ROOT } from './harness.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A terminal on admin over real HTTP. */
async function terminal(token = ROOT) {
  const world = await harness();
  await world.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = world.app.server.address() as AddressInfo;
  const abort = new AbortController();
  closing.push(
    () => {
      abort.abort();
    },
    () => world.app.close(),
  );
  const lines: string[] = [];
  const session = {
    client: new RestClient(`http://127.0.0.1:${String(port)}`, token),
    print: (text: string) => void lines.push(...text.split('\n')),
    readPassword: () => Promise.resolve('a password'),
    signal: abort.signal,
  };
  const run = async (...argv: string[]): Promise<string[]> => {
    lines.length = 0;
    await runCommand(session, argv);
    return [...lines];
  };
  return { ...world, run, lines, session };
}

describe('the command line', () => {
  test('A05 makes a user, lists and deletes it', async () => {
    const { run, users } = await terminal();
    await users.domains.put({ name: 'example.test' });
    expect(await run('user-put', 'example.test', 'carol', '--name', 'Carol')).toEqual(['done']);
    expect(await run('users', 'example.test')).toEqual([
      'AOR                     NAME   ENABLED  ALGORITHMS',
      'sip:carol@example.test  Carol  true     SHA-512-256 SHA-256 MD5',
    ]);
    expect(await run('user-delete', 'example.test', 'carol')).toEqual(['done']);
    expect(await run('users', 'example.test')).toHaveLength(1);
  });

  test('A01 A03 shows the bindings of an AoR and takes one away', async () => {
    const { run, register, users } = await terminal();
    await users.domains.put({ name: 'example.test' });
    await register('sip:alice@example.test', [
      binding('b1', { userAgent: 'Phone\u001b[2J 1.0' }),
      binding('b2'),
    ]);
    const [, first = ''] = await run('bindings', 'sip:alice@example.test');
    expect(first).toMatch(/^b1 +sip:b1@192\.0\.2\.1:5060 +600/);
    expect(first).not.toContain('\u001b');
    expect(await run('unbind', 'sip:alice@example.test', 'b1')).toEqual(['done']);
    expect(await run('bindings', 'sip:alice@example.test')).toHaveLength(2);
    expect((await run('aors', '--prefix', 'ali'))[1]).toMatch(/^sip:alice@example\.test +sip:b2@/);
  });

  test('A06 shows events as they happen', async () => {
    const { run, register, lines, users } = await terminal();
    await users.domains.put({ name: 'example.test' });
    void run('events').catch(() => undefined);
    await eventually('an event', async () => {
      await register('sip:alice@example.test', [binding('b1')]);
      return lines.some((line) => line.includes('registered') && line.includes('sip:alice@example.test'));
    });
  });

  test('a refusal, a wrong command and a wrong option are one clear line each', async () => {
    const { run } = await terminal();
    await expect(run('users', 'nowhere.test')).rejects.toThrow(/^404 There is no such resource/);
    await expect(run('frobnicate')).rejects.toThrow('no command "frobnicate"; rollcall --help lists them');
    await expect(run('bindings')).rejects.toThrow('rollcall bindings AOR');
    await expect(run('bindings', 'a', '--loud')).rejects.toThrow("Unknown option '--loud'");
    const stranger = await terminal('no token');
    await expect(stranger.run('edges')).rejects.toThrow(/^401 /);
    const nowhere = new RestClient('http://127.0.0.1:1', 'x');
    await expect(nowhere.get('/v1/edges')).rejects.toThrow(/^http:\/\/127\.0\.0\.1:1 does not answer: /);
  });

  test('A10 F08 draws a ladder with its notes and messages, and nothing that a terminal obeys', () => {
    const lifelines = [{ id: 'p', name: 'phone' }, { id: 'e', name: 'edge-1' }]; // prettier-ignore
    const step = { at: 0, from: 'p', to: 'e', label: 'REGISTER', note: 'The phone registers.' };
    const text = ladderText(
      { lifelines, steps: [{ ...step, message: 'REGISTER x\r\nUser-Agent: \u001b[2J\r\n' }] },
      true,
    );
    expect(text).toMatch(/phone +edge-1/);
    const folded = ladderText({ lifelines, steps: [{ ...step, note: 'word '.repeat(30) }] }, false, 60);
    expect(Math.max(...folded.split('\n').map((line) => line.length))).toBeLessThanOrEqual(60);
    expect(text).toMatch(/ REGISTER .*▶/);
    expect(text).toContain('The phone registers.');
    expect(text).toContain('    REGISTER x\n');
    expect(text).not.toContain('\u001b');
  });
});
