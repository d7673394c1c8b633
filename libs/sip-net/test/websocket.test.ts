import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocketProgress } from '../src/websocket-progress.ts';
import {
  AllBench,
  BINARY,
  closeCode,
  frame,
  HOST,
  type RawClient,
  register,
  TEXT,
  until,
} from './transports-support.ts';

const ORIGINS = ['https://phone.example.test'];
let bench: AllBench;
let raw: RawClient;

beforeEach(async () => {
  bench = await new AllBench(HOST, ['ws'], {}, { webSocket: { origins: ORIGINS } }).start();
  raw = await bench.raw('ws');
});
afterEach(() => bench.stop());

describe('E07 RFC 7118 §4.1: the upgrade', () => {
  it('E07 with the subprotocol "sip" among others is taken, and "sip" comes back', async () => {
    const answer = await raw.upgrade({ 'Sec-WebSocket-Protocol': 'chat, sip', Origin: ORIGINS[0] });
    expect(answer).toMatch(/^HTTP\/1\.1 101 /);
    expect(answer.toLowerCase()).toContain('sec-websocket-protocol: sip\r\n');
    // The value of RFC 6455 §1.3.
    expect(answer).toContain('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  });

  it.each([
    ['no subprotocol', { 'Sec-WebSocket-Protocol': undefined }, 400],
    ['another subprotocol', { 'Sec-WebSocket-Protocol': 'chat, SIP2' }, 400],
    ['an unknown Origin', { Origin: 'https://evil.test' }, 403],
    ['an Origin that only begins like ours', { Origin: 'https://phone.example.test.evil.test' }, 403],
    ['the Origin "null" of a sandboxed page', { Origin: 'null' }, 403],
    ['no key', { 'Sec-WebSocket-Key': undefined }, 400],
    ['an old version', { 'Sec-WebSocket-Version': '7' }, 400],
    ['no upgrade at all', { Upgrade: undefined, Connection: undefined }, 426],
  ])('E07 WS1 %s: %#', async (_, headers, status) => {
    const answer = await raw.upgrade(headers);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${String(status)} `));
    await until(() => raw.closed, 10_000);
    expect(bench.front.counters.upgradesRefused).toBe(1);
    await until(() => bench.front.sizes().arriving === 0, 10_000);
  });

  it('E07 no Origin is no browser, and may come (RFC 6455 §10.2)', async () => {
    expect(await raw.upgrade()).toMatch(/^HTTP\/1\.1 101 /);
  });

  it('WS1 permessage-deflate is offered in vain', async () => {
    const answer = await raw.upgrade({
      'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
    });
    expect(answer).toMatch(/^HTTP\/1\.1 101 /);
    expect(answer.toLowerCase()).not.toContain('sec-websocket-extensions');
  });

  it('what is no HTTP is refused', async () => {
    raw.send('INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/WS a;branch=z9hG4bK1\r\n\r\n');
    await until(() => raw.closed, 10_000);
    expect(raw.text).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe('RFC 7118 §5: messages', () => {
  it('text and binary messages are the same; without Content-Length too', async () => {
    await raw.upgrade();
    raw.send(frame(register('ws'), { opcode: TEXT }));
    raw.send(frame(register('ws').replace(/Content-Length: 0\r\n/, ''), { opcode: BINARY }));
    await until(() => raw.count('SIP/2.0 200') === 2, 10_000);
  });

  it('in fragments, with a ping between them', async () => {
    await raw.upgrade();
    const text = register('ws', { body: 'hello' });
    raw.send(frame(text.slice(0, 50), { fin: false }));
    raw.send(frame('are you there', { opcode: 0x9 }));
    raw.send(frame(text.slice(50, 120), { opcode: 0, fin: false }));
    raw.send(frame(text.slice(120), { opcode: 0 }));
    await until(() => raw.count('SIP/2.0 200') === 1, 10_000);
    expect(raw.text.startsWith(`\x8a\x0dare you there`)).toBe(true);
    expect((await bench.user.requests.next()).request.body).toBe('hello');
  });

  it('§4.2: what is not UTF-8 goes out in a binary message, all else as text', async () => {
    await raw.upgrade();
    raw.send(frame(register('ws')));
    const { flow } = await bench.user.requests.next();
    await until(() => raw.count('SIP/2.0 200') === 1, 10_000);
    expect(raw.text.charCodeAt(0)).toBe(0x81);
    for (const [body, opcode] of [
      ['\xff\xfe', 0x82],
      ['J\xc3\xbcrgen', 0x81],
    ] as const) {
      raw.text = '';
      flow.send(register('ws', { body }));
      await until(() => raw.text.includes(body), 10_000);
      expect(raw.text.charCodeAt(0)).toBe(opcode);
    }
  });

  it('§5: two requests in one message are one, and what is behind its end is not read as another', async () => {
    await raw.upgrade();
    raw.send(frame(register('ws') + register('ws')));
    raw.send(frame(register('ws')));
    await until(() => raw.count('SIP/2.0 200') === 2, 10_000);
    expect(bench.front.counters.requestsIn).toBe(2);
  });

  it('a malformed request is refused, and the connection goes on', async () => {
    await raw.upgrade();
    raw.send(frame(register('ws').replace('CSeq: 1 REGISTER', 'CSeq: 1 INVITE')));
    await until(() => raw.count('SIP/2.0 400') === 1, 10_000);
    raw.send(frame(register('ws')));
    await until(() => raw.count('SIP/2.0 200') === 1, 10_000);
  });
});

describe('WS1 hostile frames', () => {
  const closedWith = async (code: number): Promise<void> => {
    await until(() => closeCode(raw.text) !== undefined, 10_000);
    expect(closeCode(raw.text)).toBe(code);
    await until(() => bench.front.sizes().connections === 0, 10_000);
    expect(bench.user.requests.all).toHaveLength(0);
    expect(bench.front.counters.closedFraming).toBe(1);
  };

  it.each([
    ['unmasked', () => frame(register('ws'), { masked: false }), 1002],
    ['with a reserved bit set', () => Buffer.from([0xc1, 0x80, 1, 2, 3, 4]), 1002],
    ['with a reserved opcode', () => frame('x', { opcode: 0x3 }), 1002],
    ['a continuation of nothing', () => frame('x', { opcode: 0x0 }), 1002],
    ['a fragmented ping', () => frame('x', { opcode: 0x9, fin: false }), 1002],
    ['a ping of 200 octets', () => frame('x'.repeat(200), { opcode: 0x9 }), 1002],
    ['text that is not UTF-8', () => frame('\xff\xfe\xfd'), 1007],
    [
      'a header that announces 1 GB',
      () => Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4]),
      1009,
    ],
    [
      'a header that announces 2^63',
      () => Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
      1009,
    ],
  ])('WS1 a frame %s', async (_, make, code) => {
    await raw.upgrade();
    raw.send(make());
    await closedWith(code);
  });

  it('WS1 a message of 10,000 fragments of one octet', async () => {
    await raw.upgrade();
    const one = frame('R', { fin: false });
    const more = frame('E', { opcode: 0, fin: false });
    raw.send(Buffer.concat([one, ...new Array<Buffer>(10_000).fill(more)]));
    await closedWith(1008);
  });

  it('WS1 a ping flood by a peer that does not read is cut off', async () => {
    await bench.stop();
    bench = await new AllBench(HOST, ['ws'], { maxSendQueueBytes: 65_536 }).start();
    raw = await bench.raw('ws');
    await raw.upgrade();
    raw.socket.pause();
    const pings = Buffer.concat(new Array<Buffer>(1_000).fill(frame('x'.repeat(125), { opcode: 0x9 })));
    const flood = async (): Promise<void> => {
      for (let i = 0; i < 400 && !raw.socket.destroyed && bench.front.counters.closedSlow === 0; i += 1) {
        raw.send(pings);
        await new Promise(setImmediate);
      }
    };
    await flood();
    await until(() => bench.front.counters.closedSlow === 1, 15_000);
  });
});

describe('frame by frame (RFC 6455 §5.2)', () => {
  const check = (bytes: Buffer, expected: { unfinished: boolean; messages: number }): void => {
    const whole = new WebSocketProgress();
    whole.push(bytes);
    expect({ unfinished: whole.unfinished, messages: whole.messages }).toEqual(expected);
    const single = new WebSocketProgress();
    for (const octet of bytes) single.push(Buffer.from([octet]));
    expect({ unfinished: single.unfinished, messages: single.messages }).toEqual(expected);
  };
  it.each([
    ['a whole message', frame('hello'), { unfinished: false, messages: 1 }],
    ['a long one', frame('x'.repeat(300)), { unfinished: false, messages: 1 }],
    ['a very long one', frame('x'.repeat(70_000)), { unfinished: false, messages: 1 }],
    ['a ping', frame('hello', { opcode: 0x9 }), { unfinished: false, messages: 0 }],
    ['an empty ping without a mask', Buffer.from([0x89, 0]), { unfinished: false, messages: 0 }],
    ['half a frame', frame('hello').subarray(0, 7), { unfinished: true, messages: 1 }],
    ['half a header', frame('x'.repeat(300)).subarray(0, 3), { unfinished: true, messages: 0 }],
    ['a fragment', frame('hello', { fin: false }), { unfinished: true, messages: 1 }],
    [
      'a fragment and a ping',
      Buffer.concat([frame('hello', { fin: false }), frame('', { opcode: 0x9 })]),
      { unfinished: true, messages: 1 },
    ],
    [
      'two fragments and a message',
      Buffer.concat([frame('a', { fin: false }), frame('b', { opcode: 0 }), frame('c')]),
      { unfinished: false, messages: 2 },
    ],
  ])('%s', (_, bytes, expected) => {
    check(bytes, expected);
  });
});
