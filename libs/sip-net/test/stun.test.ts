import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { answerBinding } from '../src/stun.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

/** The request of RFC 5769 §2.1: SOFTWARE, PRIORITY, ICE-CONTROLLED, USERNAME, MESSAGE-INTEGRITY, FINGERPRINT. */
const RFC5769_REQUEST = hex(`
  0001 0058 2112a442 b7e7a701 bc34d686 fa87dfae
  8022 0010 5354554e 20746573 7420636c 69656e74
  0024 0004 6e0001ff
  8029 0008 932ff9b1 51263b36
  0006 0009 6576746a 3a683676 59202020
  0008 0014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2
  8028 0004 e57a3bcf`);

const binding = (attributes = ''): Buffer => {
  const body = hex(attributes);
  const head = hex('0001 0000 2112a442 b7e7a701bc34d686fa87dfae');
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, body]);
};

describe('RFC 5389 §15.2 XOR-MAPPED-ADDRESS', () => {
  it('IPv4: the value of RFC 5769 §2.2', () => {
    const answer = answerBinding(binding(), '192.0.2.1', 32_853);
    expect(answer?.toString('hex')).toBe(
      hex('0101 000c 2112a442 b7e7a701bc34d686fa87dfae 0020 0008 0001 a147 e112a643').toString('hex'),
    );
  });
  it('IPv6: the value of RFC 5769 §2.3', () => {
    const answer = answerBinding(binding(), '2001:db8:1234:5678:11:2233:4455:6677', 32_853);
    expect(answer?.subarray(20).toString('hex')).toBe(
      hex('0020 0014 0002 a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9').toString('hex'),
    );
  });
});

describe('RFC 5389 §7.3 what a request must be', () => {
  it('a request with a fingerprint is answered with one', () => {
    const answer =
      answerBinding(binding(`8028 0004 ${fingerprint(binding(), 8)}`), '192.0.2.1', 5060) ?? Buffer.alloc(0);
    expect(answer.readUInt16BE(answer.length - 8)).toBe(0x8028);
    const wanted = (crc32(answer.subarray(0, answer.length - 8)) ^ 0x5354554e) >>> 0;
    expect(answer.readUInt32BE(answer.length - 4)).toBe(wanted);
  });
  it('the fingerprint of RFC 5769 §2.1 is right; PRIORITY is an attribute we do not know: 420', () => {
    const answer = answerBinding(RFC5769_REQUEST, '192.0.2.1', 5060) ?? Buffer.alloc(0);
    expect(answer.readUInt16BE(0)).toBe(0x0111);
    expect([answer[26], answer[27]]).toEqual([4, 20]);
    expect(answer.toString('hex')).toContain('000a00020024');
  });
  it.each([
    [
      'a wrong fingerprint',
      Buffer.from(RFC5769_REQUEST.toString('hex').replace('e57a3bcf', 'e57a3bce'), 'hex'),
    ],
    ['a response', hex('0101 0000 2112a442 b7e7a701bc34d686fa87dfae')],
    ['an indication', hex('0011 0000 2112a442 b7e7a701bc34d686fa87dfae')],
    ['no magic cookie (RFC 3489)', hex('0001 0000 2112a443 b7e7a701bc34d686fa87dfae')],
    ['a length that is not what came', hex('0001 0008 2112a442 b7e7a701bc34d686fa87dfae')],
    ['an attribute past the end', binding('0006 00ff 6576746a')],
    ['half a header', hex('0001 0000 2112a442')],
  ])('%s gets no answer', (_, data) => {
    expect(answerBinding(data, '192.0.2.1', 5060)).toBeUndefined();
  });
  it('an answer is never more than 44 octets larger than its request', () => {
    const many = binding('7001 0000 '.repeat(300));
    const answer = answerBinding(many, '2001:db8::1', 5060) ?? Buffer.alloc(0);
    expect(answer.readUInt16BE(0)).toBe(0x0111);
    expect(answer.length).toBeLessThan(100);
    expect((answerBinding(binding(), '2001:db8::1', 5060) ?? many).length).toBeLessThanOrEqual(64);
  });
});

/** What RFC 5389 §15.5 wants behind `before`, whose length does not count the attribute yet. */
function fingerprint(before: Buffer, more: number): string {
  const counted = Buffer.from(before);
  counted.writeUInt16BE(before.length - 20 + more, 2);
  return ((crc32(counted) ^ 0x5354554e) >>> 0).toString(16).padStart(8, '0');
}
