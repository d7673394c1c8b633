import { describe, expect, it } from 'vitest';
import { viaFrom } from '../src/index.ts';
import { lines, problemOf, registerWith, requestOf, valueOf } from './wire.ts';

const request = (...headers: readonly string[]) => requestOf(registerWith(...headers));
/** A request with exactly these header lines. */
const bare = (...headers: readonly string[]) =>
  requestOf(lines('OPTIONS sip:example.test SIP/2.0', ...headers, ''));

const contacts = (...headers: readonly string[]) => {
  const read = valueOf(request(...headers).contacts());
  return read.kind === 'list' ? read.contacts : [];
};

describe('Via', () => {
  const via = (text: string) => bare(`Via: ${text}`).topVia();

  it('reads sent-by and parameters', () => {
    expect(
      valueOf(via('SIP/2.0/UDP 192.0.2.1:5062;rport;branch=z9hG4bKa;received=192.0.2.9;x="a;b"')),
    ).toMatchObject({
      protocol: 'SIP/2.0',
      transport: 'UDP',
      host: '192.0.2.1',
      port: 5062,
      branch: 'z9hG4bKa',
      received: '192.0.2.9',
      rport: '',
    });
    expect(valueOf(via('sip / 2.0 / tls  [2001:db8::1] : 5061 ; rport = 33000'))).toMatchObject({
      transport: 'TLS',
      host: '[2001:db8::1]',
      port: 5061,
      rport: 33000,
    });
  });

  it.each([
    'SIP/3.0/UDP a',
    'SIP/2.0/UDP',
    'SIP/2.0 UDP a',
    'SIP/2.0/UDP a:5060port',
    'SIP/2.0/UDP a:99999',
    'SIP/2.0/UDP a;;branch=x',
    'SIP/2.0/UDP a;branch=',
    'SIP/2.0/UDP a;branch',
    'SIP/2.0/UDP a;rport=x',
    'SIP/2.0/UDP a b',
    'SIP/2.0/UDP ,',
  ])('refuses %s', (text) => {
    expect(problemOf(via(text))).toMatchObject({ header: 'via', status: 400 });
  });

  it('says where it came from (RFC 3261 §18.2.1, RFC 3581 §4)', () => {
    const from = (text: string, address = '192.0.2.9') => viaFrom(valueOf(via(text)), address, 33000);
    expect(from('SIP/2.0/UDP 192.0.2.9;branch=a')).toBe('SIP/2.0/UDP 192.0.2.9;branch=a');
    expect(from('SIP/2.0/UDP host.test;branch=a')).toBe('SIP/2.0/UDP host.test;branch=a;received=192.0.2.9');
    expect(from('SIP/2.0/UDP 192.0.2.9;rport;branch=a')).toBe(
      'SIP/2.0/UDP 192.0.2.9;branch=a;received=192.0.2.9;rport=33000',
    );
    expect(from('SIP/2.0/UDP 192.0.2.9;received=203.0.113.1;branch=a')).toBe(
      'SIP/2.0/UDP 192.0.2.9;branch=a',
    );
    expect(from('SIP/2.0/UDP [2001:DB8::1];branch=a', '2001:db8::1')).toBe(
      'SIP/2.0/UDP [2001:DB8::1];branch=a',
    );
  });
});

describe('From and To', () => {
  const from = (text: string) => bare(`From: ${text}`).from();
  it.each([
    ['<sip:a@b>;tag=1', { display: undefined, uriText: 'sip:a@b', tag: '1' }],
    ['"A \\"B\\" \\\\" <sip:a@b>', { display: 'A "B" \\', tag: undefined }],
    ['A B. <sip:a@b;x=1>;y=2', { display: 'A B.', uriText: 'sip:a@b;x=1' }],
    [
      'J\xc3\xbcrgen (home) <sip:a@b>;tag=1',
      { display: 'J\xc3\xbcrgen (home)', uriText: 'sip:a@b', tag: '1' },
    ],
    ['alice@b <sip:a@b>', { display: 'alice@b', uriText: 'sip:a@b' }],
    ['sip:a@b;tag=1', { display: undefined, uriText: 'sip:a@b', tag: '1' }],
    ['""<sip:a@b>', { display: '' }],
    ['<tel:+1>;tag=x', { uriText: 'tel:+1' }],
  ])('reads %s', (text, expected) => {
    expect(valueOf(from(text))).toMatchObject(expected);
    expect(valueOf(from(text)).text).toBe(text);
  });
  it.each([
    '',
    '<sip:a@b',
    'sip:a@b>',
    '"A <sip:a@b>',
    '"A" sip:a@b',
    'A, B <sip:a@b>',
    '<sip:a@b>,<sip:c@d>',
    '<sip:a@b>;tag=',
    '<sip:a@b>;tag=1;TAG=2',
    '<sip:a@b>;=1',
    '<sip:a@b> x',
    'sip:a@b?x=y',
    '< sip:a@b >',
  ])('refuses %j', (text) => {
    expect(problemOf(from(text))).toMatchObject({ header: 'from', status: 400 });
  });
});

describe('Contact', () => {
  it('B17 B18 keeps parameters byte for byte, and reads q and expires', () => {
    expect(
      contacts('Contact: <sip:a@192.0.2.1;ob>;Q=0.7;+sip.instance="<urn:x>" ;expires=60;reg-id=1'),
    ).toMatchObject([{ q: 700, expires: 60, paramsText: ';+sip.instance="<urn:x>";reg-id=1' }]);
    expect(contacts('Contact: <sip:a@192.0.2.1>; audio ;methods="INVITE, BYE"')).toMatchObject([
      { q: undefined, expires: undefined, paramsText: '; audio ;methods="INVITE, BYE"' },
    ]);
  });
  it('reads several values of several lines in order', () => {
    expect(
      contacts(
        'Contact: <sip:a@192.0.2.1>, "x,y" <sip:b@192.0.2.1;p=1>;q=1',
        'm: sip:c@192.0.2.1;expires=0',
      ).map(({ uriText, q, expires }) => [uriText, q, expires]),
    ).toEqual([
      ['sip:a@192.0.2.1', undefined, undefined],
      ['sip:b@192.0.2.1;p=1', 1000, undefined],
      ['sip:c@192.0.2.1', undefined, 0],
    ]);
  });
  it.each([
    ['0', 0],
    ['0.5', 500],
    ['0.55', 550],
    ['0.555', 555],
    ['1', 1000],
    ['1.000', 1000],
    ['0.', 0],
  ])('B18 q=%s is %d', (q, expected) => {
    expect(contacts(`Contact: <sip:a@192.0.2.1>;q=${q}`)[0]?.q).toBe(expected);
  });
  it.each(['2', '1.5', '1.001', '0.5555', '-1', 'x', '0.x', '', '.5'])('B18 q=%s is refused', (q) => {
    expect(problemOf(request(`Contact: <sip:a@192.0.2.1>;q=${q}`).contacts())).toMatchObject({
      header: 'contact',
      status: 400,
    });
  });
  it.each([
    ['60', 60],
    ['0', 0],
    ['99999999999', 2 ** 32 - 1],
    ['abc', 3600],
    ['-1', 3600],
    ['0x10', 3600],
    ['"60"', 3600],
  ])('B08 B09 expires=%s counts as %d', (expires, expected) => {
    expect(contacts(`Contact: <sip:a@192.0.2.1>;expires=${expires}`)[0]?.expires).toBe(expected);
  });
  it('B05 reads the wildcard, B06 alone', () => {
    expect(valueOf(request('Contact: *').contacts())).toEqual({ kind: 'wildcard' });
    expect(valueOf(request().contacts())).toEqual({ kind: 'none' });
    for (const headers of [
      ['Contact: *', 'Contact: <sip:a@b>'],
      ['Contact: <sip:a@b>', 'Contact: *'],
      ['Contact: *', 'Contact: *'],
    ]) {
      expect(problemOf(request(...headers).contacts())).toMatchObject({
        code: 'contact-wildcard',
        status: 400,
      });
    }
    expect(problemOf(request('Contact: *, <sip:a@b>').contacts()).status).toBe(400);
    expect(problemOf(request('Contact: *;q=1').contacts()).status).toBe(400);
  });
  it.each(['', '<sip:a@b>,', ',<sip:a@b>', '<sip:a@b>;;;;', '<sip:a@b'])('refuses %j', (text) => {
    expect(problemOf(request(`Contact: ${text}`).contacts())).toMatchObject({
      header: 'contact',
      status: 400,
    });
  });
});

describe('numbers and words', () => {
  it.each(['0', '4294967295', '0009'])('reads CSeq %s', (seq) => {
    expect(valueOf(bare(`CSeq: ${seq} INVITE`).cseq()).seq).toBe(Number(seq));
  });
  it.each([
    '4294967296 INVITE',
    '-1 INVITE',
    '+1 INVITE',
    '0x1 INVITE',
    '1',
    'INVITE',
    '1 IN VITE',
    '1 INVITE,',
    '',
  ])('refuses CSeq %j', (text) => {
    expect(problemOf(bare(`CSeq: ${text}`).cseq())).toMatchObject({
      code: 'cseq',
      header: 'cseq',
      status: 400,
    });
  });
  it.each(['a', 'a@b', '{}[]()<>?/\\":', '1@0:0:0:0:0:0:0:0'])('reads Call-ID %s', (text) => {
    expect(valueOf(bare(`Call-ID: ${text}`).callId())).toBe(text);
  });
  it.each(['', 'a b', 'a@', '@b', 'a@b@c', 'a;b', 'a,b'])('refuses Call-ID %j', (text) => {
    expect(problemOf(bare(`Call-ID: ${text}`).callId())).toMatchObject({ header: 'call-id' });
  });
  it.each([
    ['70', 70],
    ['0', 0],
    ['255', 255],
    ['256', undefined],
    ['99999999999999999999', undefined],
  ])('Max-Forwards: %s is %s', (text, expected) => {
    expect(valueOf(bare(`Max-Forwards: ${text}`).maxForwards())).toBe(expected);
  });
  it('B09 a malformed Expires is 3600 in a REGISTER and a problem elsewhere', () => {
    expect(valueOf(request('Expires: abc').expires())).toBe(3600);
    expect(valueOf(request('Expires: 99999999999').expires())).toBe(2 ** 32 - 1);
    expect(problemOf(bare('Expires: abc').expires())).toMatchObject({ header: 'expires', status: 400 });
    expect(valueOf(bare('To: x').expires())).toBeUndefined();
  });
  it.each(['0x5', '+5', '-5', '5 5', '', '5,5'])('refuses Content-Length: %j', (text) => {
    expect(problemOf(bare(`Content-Length: ${text}`).contentLength())).toMatchObject({
      header: 'content-length',
    });
  });
});

describe('lists', () => {
  it('reads option tags in lower case, of all lines', () => {
    expect(request('Supported: Path, outbound', 'k:gruu', 'Supported:').options('supported')).toEqual([
      'path',
      'outbound',
      'gruu',
    ]);
    expect(request('Require: a b,,c').options('require')).toEqual(['a b', 'c']);
    expect(request().options('require')).toEqual([]);
  });
  it('reads media ranges', () => {
    const types = (...headers: readonly string[]) =>
      valueOf(bare(...headers).accept()).map(({ type }) => type);
    expect(types('Accept: application/pidf+xml;q=0.5, Text / *', 'Accept: *')).toEqual([
      'application/pidf+xml',
      'text/*',
      '*/*',
    ]);
    expect(types('Accept:')).toEqual([]);
    expect(problemOf(bare('Accept: pidf').accept())).toMatchObject({ header: 'accept' });
  });
  it('reads Content-Type', () => {
    const type = valueOf(bare('c: Application / PIDF+xml;charset="utf-8"').contentType());
    expect([type?.type, type?.params.get('charset')]).toEqual(['application/pidf+xml', 'utf-8']);
    expect(problemOf(bare('Content-Type: text').contentType())).toMatchObject({ header: 'content-type' });
  });
  it('reads Event', () => {
    const event = valueOf(bare('o: presence.winfo;id="7";x').event());
    expect(event).toMatchObject({ package: 'presence.winfo', id: '7' });
    expect(valueOf(bare('To: x').event())).toBeUndefined();
    expect(problemOf(bare('Event: ').event())).toMatchObject({ header: 'event' });
  });
  it('reads Route, Record-Route, Path and P-Asserted-Identity', () => {
    const message = bare(
      'Route: <sip:a;lr>,<sip:b;lr>',
      'Record-Route: <sip:c>',
      'Path: <sip:d;ob>',
      'P-Asserted-Identity: "A" <sip:e@f>, <tel:+1>',
      'Route: <sip:g>',
    );
    const texts = (outcome: ReturnType<typeof message.routes>) =>
      valueOf(outcome).map(({ uriText }) => uriText);
    expect(texts(message.routes())).toEqual(['sip:a;lr', 'sip:b;lr', 'sip:g']);
    expect(texts(message.recordRoutes())).toEqual(['sip:c']);
    expect(texts(message.paths())).toEqual(['sip:d;ob']);
    expect(texts(message.assertedIdentities())).toEqual(['sip:e@f', 'tel:+1']);
  });
});

describe('Authorization', () => {
  const credentials = (text: string) => request(`Authorization: ${text}`).authorization();
  it('reads parameters in lower case, unquoted, and keeps the order', () => {
    const [digest] = valueOf(credentials('dIgEsT Realm="a \\"b\\"", NC=00000001 ,uri="sip:a,b",X-y=z'));
    expect([...(digest?.params ?? [])]).toEqual([
      ['realm', 'a "b"'],
      ['nc', '00000001'],
      ['uri', 'sip:a,b'],
      ['x-y', 'z'],
    ]);
    expect(digest?.params.size).toBe(4);
    expect(digest?.params.get('cnonce')).toBeUndefined();
  });
  it('reads one of each line and passes over other schemes', () => {
    const message = request(
      'Authorization: Digest realm="a"',
      'Authorization: Basic abc=',
      'Authorization: Digest realm="b"',
    );
    expect(valueOf(message.authorization()).map(({ params }) => params.get('realm'))).toEqual(['a', 'b']);
    expect(valueOf(request('Proxy-Authorization: Digest realm="c"').proxyAuthorization())).toHaveLength(1);
  });
  it.each([
    'Digest',
    'Digest realm',
    'Digest realm=',
    'Digest realm="a',
    'Digest realm="a" nonce="b"',
    'Digest realm="a",',
    'Digest realm="a",REALM="b"',
    'Digest ="a"',
    '',
  ])('refuses %j', (text) => {
    expect(problemOf(credentials(text))).toMatchObject({ header: 'authorization', status: 400 });
  });
});
