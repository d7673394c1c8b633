import { describe, expect, it } from 'vitest';
import { escapeUser, parseUri, unescapeUser, uriEquals } from '../src/index.ts';
import { problemOf, valueOf } from './wire.ts';

const uri = (text: string) => valueOf(parseUri(text));

describe('parseUri', () => {
  const cases: readonly (readonly [string, object])[] = [
    [
      'sip:alice@example.test',
      { kind: 'sip', secure: false, user: 'alice', host: 'example.test', port: undefined },
    ],
    [
      'SIPS:Alice:pw@Example.Test:5061',
      { secure: true, user: 'Alice', password: 'pw', host: 'Example.Test', port: 5061 },
    ],
    ['sip:alice:@example.test', { user: 'alice', password: '' }],
    ['sip:example.test:5060', { user: undefined, host: 'example.test', port: 5060 }],
    ['sip:192.0.2.1', { host: '192.0.2.1' }],
    ['sip:[2001:db8::1]:5070', { host: '[2001:db8::1]', port: 5070 }],
    ['sip:u@[::ffff:192.0.2.2]', { host: '[::ffff:192.0.2.2]' }],
    [
      'sip:+1-(5)*55;phone-context=x@example.test;user=phone',
      { user: '+1-(5)*55;phone-context=x', host: 'example.test' },
    ],
    ['sip:a@b?subject=project%20x&priority=urgent', { headers: 'subject=project%20x&priority=urgent' }],
    ['sip:j@x.invalid;transport=ws;ob', { host: 'x.invalid', text: 'sip:j@x.invalid;transport=ws;ob' }],
    ['sip:host.with.dot.', { host: 'host.with.dot.' }],
    ['sip:u@my_desk', { host: 'my_desk' }],
    ['sip:u@_a.front_desk.test:5070', { host: '_a.front_desk.test', port: 5070 }],
    ['sip:u@3fa9c2b1', { host: '3fa9c2b1' }],
    ['tel:+1-201-555-0123;ext=7', { kind: 'tel', number: '+1-201-555-0123' }],
    ['isbn:2983792873', { kind: 'other', scheme: 'isbn' }],
    ['HTTP://www.example.com/a?b', { kind: 'other', scheme: 'http', text: 'HTTP://www.example.com/a?b' }],
  ];
  it.each(cases)('reads %s', (text, expected) => {
    expect(uri(text)).toMatchObject(expected);
    expect(uri(text).text).toBe(text);
  });

  it('reads parameters: names in lower case, values as received, undefined without "="', () => {
    const parsed = uri('sip:a@b;Transport=TCP;lr;maddr=[::1];x=%41');
    expect(parsed.kind === 'sip' && [...parsed.params]).toEqual([
      ['transport', 'TCP'],
      ['lr', undefined],
      ['maddr', '[::1]'],
      ['x', '%41'],
    ]);
  });

  const broken: readonly (readonly [string, string, number])[] = [
    ['', 'uri-scheme', 0],
    ['alice@example.test', 'uri-scheme', 0],
    [' sip:a@b', 'uri-scheme', 0],
    ['sip:', 'uri-host', 4],
    ['sip:@example.test', 'uri-user', 4],
    ['sip:a@', 'uri-host', 6],
    ['sip:a@b c', 'uri', 7],
    ['sip:a b@c', 'uri', 5],
    ['sip:a%4@b', 'uri-user', 5],
    ['sip:a@b;x=%', 'uri-params', 10],
    ['sip:%', 'uri-user', 4],
    ['sip:a@b;', 'uri-params', 8],
    ['sip:a@b;;lr', 'uri-params', 8],
    ['sip:a@b;x=', 'uri-params', 10],
    ['sip:a@b;lr;LR', 'uri-params', 11],
    ['sip:a@b?', 'uri-headers', 8],
    ['sip:a@b:70000', 'uri-port', 8],
    ['sip:a@b:', 'uri-port', 8],
    ['sip:2001:db8::10', 'uri-host', 4],
    ['sip:a@-b.c', 'uri-host', 6],
    ['sip:a@b-.c', 'uri-host', 8],
    ['sip:a@b..c', 'uri', 8],
    ['sip:a@1.2.3', 'uri-host', 6],
    ['sip:a@256.0.0.1', 'uri-host', 6],
    ['sip:a@[::1', 'uri-host', 10],
    ['sip:a@[1:2]', 'uri-host', 10],
    ['sip:a@[::1::2]', 'uri-host', 13],
    ['sip:a@[1:2:3:4:5:6:7:8:9]', 'uri-host', 24],
    ['sip:a@b<', 'uri', 7],
    ['sip:a@b\0', 'uri', 7],
    ['sip:\u0141@b', 'uri-host', 4],
    ['tel:', 'uri', 4],
    ['tel:+1;', 'uri-params', 7],
    ['x:', 'uri', 2],
    ['x:a b', 'uri', 3],
  ];
  it.each(broken)('refuses %j: %s at %d', (text, code, at) => {
    expect(problemOf(parseUri(text))).toMatchObject({ code, at, status: 400 });
  });

  it('refuses a text that is longer than any message', () => {
    expect(problemOf(parseUri(`sip:${'a'.repeat(1_000_000)}`)).code).toBe('uri');
  });
});

describe('B16 uriEquals, the examples of RFC 3261 §19.1.4', () => {
  const equal: readonly (readonly [string, string])[] = [
    ['sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtLanTa.CoM;Transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com;security=on'],
    ['sip:carol@chicago.com;newparam=5', 'sip:carol@chicago.com;security=on'],
    [
      'sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com',
      'sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com',
    ],
    [
      'sip:alice@atlanta.com?subject=project%20x&priority=urgent',
      'sip:alice@atlanta.com?priority=urgent&subject=project%20x',
    ],
  ];
  const different: readonly (readonly [string, string])[] = [
    ['SIP:ALICE@AtLanTa.CoM;Transport=udp', 'sip:alice@AtLanTa.CoM;Transport=UDP'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=udp'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:6000;transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting'],
    ['sip:bob@phone21.boxesbybob.com', 'sip:bob@192.0.2.4'],
    ['sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;security=off'],
    // the rules beside the examples
    ['sip:a@b', 'sips:a@b'],
    ['sip:b', 'sip:a@b'],
    ['sip:a@b', 'sip:a:@b'],
    ['sip:a@b', 'sip:a@b;user=phone'],
    ['sip:a@b', 'sip:a@b;ttl=1'],
    ['sip:a@b', 'sip:a@b;method=INVITE'],
    ['sip:a@b', 'sip:a@b;maddr=b'],
    ['sip:a%40@b', 'sip:a%3A@b'],
    ['sip:a;x@b', 'sip:a%3Bx@b'],
    ['sip:a@b', 'tel:+1'],
    ['x:a', 'y:a'],
  ];
  it.each(equal)('B16 %s = %s', (a, b) => {
    expect([uriEquals(uri(a), uri(b)), uriEquals(uri(b), uri(a))]).toEqual([true, true]);
  });
  it.each(different)('B16 %s ≠ %s', (a, b) => {
    expect([uriEquals(uri(a), uri(b)), uriEquals(uri(b), uri(a))]).toEqual([false, false]);
  });

  it('compares tel: URIs without visual separators (RFC 3966 §5)', () => {
    expect(uriEquals(uri('tel:+1-201-555-0123'), uri('tel:+12015550123'))).toBe(true);
    expect(uriEquals(uri('tel:+12015550123'), uri('tel:+12015550123;ext=1'))).toBe(false);
  });
});

describe('escapes', () => {
  it('undoes what it does, for every octet', () => {
    const octets = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code));
    const escaped = escapeUser(octets);
    expect(unescapeUser(escaped)).toBe(octets);
    expect(uri(`sip:${escaped}@b`)).toMatchObject({ user: escaped });
  });
  it('escapes once and leaves a stray "%" alone', () => {
    expect(unescapeUser('value%2541')).toBe('value%41');
    expect(unescapeUser('100%')).toBe('100%');
  });
});
