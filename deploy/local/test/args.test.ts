import { describe, expect, it } from 'vitest';
import { readArgs } from '../src/args.ts';

const read = (...argv: string[]) => readArgs(argv, '/usr/bin/node');

describe('flags of npm start', () => {
  it('nothing given: port 5060, one of each service, this Node', () => {
    expect(read()).toEqual({
      ok: true,
      value: {
        ...{ json: false, demo: false, help: false, host: '127.0.0.1', portBase: 5060, users: 0 },
        ...{ replicas: { edge: 1, registrar: 1, presence: 1 }, node: '/usr/bin/node' },
      },
    });
  });

  it('all given', () => {
    const all = read(
      ...['--json', '--port-base', '15500', '--users', '20000', '--replicas', 'edge=2,presence=3'],
      ...['--redis', 'redis://127.0.0.1:7000', '--node', '/opt/node', '--host', '192.0.2.1'],
    );
    expect(all.ok && all.value).toMatchObject({
      ...{
        json: true,
        portBase: 15_500,
        users: 20_000,
        redis: 'redis://127.0.0.1:7000',
        node: '/opt/node',
        host: '192.0.2.1',
      },
      replicas: { edge: 2, registrar: 1, presence: 3 },
    });
  });

  it('O01 localhost is its address, which certificates and Contacts name', () => {
    const named = read('--host', 'localhost');
    expect(named.ok && named.value.host).toBe('127.0.0.1');
  });

  it.each([
    [['--port-base', 'x'], '--port-base: "x"'],
    [['--port-base', '65500'], '--port-base: "65500"'],
    [['--users', '-1'], '--users'],
    [['--replicas', 'edge=0'], '--replicas: "edge=0"'],
    [['--replicas', 'admin=2'], '--replicas: "admin"'],
    [['--host', 'phones.lan'], '--host: "phones.lan"'],
    [['--host', '0.0.0.0'], '--host: "0.0.0.0"'],
    [['--nonsense'], '--nonsense'],
  ])('%j is one line that names the flag', (argv, wanted) => {
    const answer = read(...argv);
    expect(answer.ok).toBe(false);
    expect(!answer.ok && answer.error).toContain(wanted);
    expect(!answer.ok && answer.error).not.toContain('\n');
  });
});
