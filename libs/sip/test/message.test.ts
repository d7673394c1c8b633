import { describe, expect, it } from 'vitest';
import {
  HEADERS,
  LIMITS,
  METHODS,
  checkRequest,
  checkResponse,
  displayText,
  edit,
  isMethod,
  parseMessage,
  reasonPhrase,
  respond,
  writeRequest,
} from '../src/index.ts';
import {
  fixture,
  lines,
  messageOf,
  problemOf,
  registerWith,
  requestOf,
  responseOf,
  valueOf,
  verdict,
} from './wire.ts';

describe('parseMessage', () => {
  const broken: readonly (readonly [string, string, number])[] = [
    ['', 'empty', 400],
    ['\r\n\r\n', 'empty', 400],
    ['REGISTER', 'start-line', 400],
    ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'start-line', 400],
    ['REGISTER sip:a  SIP/2.0\r\n\r\n', 'start-line', 400],
    ['REGISTER sip:a SIP/2\r\n\r\n', 'start-line', 400],
    ['REGISTER sip:a SIP/2.1\r\n\r\n', 'version', 505],
    ['SIP/3.0 200 OK\r\n\r\n', 'version', 505],
    ['SIP/2.0 20 OK\r\n\r\n', 'status-code', 400],
    ['SIP/2.0 2000 OK\r\n\r\n', 'status-code', 400],
    ['SIP/2.0 700 OK\r\n\r\n', 'status-code', 400],
    ['SIP/2.0 099 OK\r\n\r\n', 'status-code', 400],
    ['\x16\x03\x01\x02\x00\r\n\r\n', 'start-line', 400],
  ];
  it.each(broken)('refuses %j: %s', (raw, code, status) => {
    expect(problemOf(parseMessage(raw))).toMatchObject({ code, status });
  });

  it('reads versions in any case and ignores line ends in front (RFC 3261 §7.1, §7.5)', () => {
    expect(requestOf('\r\n\r\nOPTIONS sip:a sip/2.0\r\nTo: x\r\n\r\n').method).toBe('OPTIONS');
  });

  it('R-header trims white space before the colon and refuses other controls in names and values', () => {
    expect(requestOf(registerWith('X-Internal \t: v')).header('x-internal')).toBe('v');
    for (const [header, at] of [
      ['X\u0001: v', 'X'],
      ['X : a\u0000b', ''],
      ['X: a\u001b[0m', ''],
      ['X: a\rb', ''],
      ['No colon', 'No'],
      [': v', ''],
    ] as const) {
      const problem = problemOf(parseMessage(registerWith(header)));
      expect(['control-character', 'header-name']).toContain(problem.code);
      expect(problem.status).toBe(400);
      expect(problem.at).toBeGreaterThan(registerWith(header).indexOf(header) + at.length - 1);
      // the rest is there, so that it can be refused
      expect(problem.request?.header('call-id')).toBe('c1');
    }
  });

  it('finds headers by long and compact name, in any case, with folds', () => {
    const message = requestOf(
      lines(
        'OPTIONS sip:a SIP/2.0',
        'k: a',
        'SUPPORTED:b',
        'Supported :',
        '  c,',
        '\td  ',
        'X-y: 1',
        'x-Y: 2',
        '',
      ),
    );
    expect(message.headers('supported')).toEqual(['a', 'b', 'c, d']);
    expect(message.header('x-y')).toBe('1');
    expect(message.headers('x-y')).toEqual(['1', '2']);
    expect(message.has('require')).toBe(false);
    expect(message.header('k')).toBeUndefined();
    expect(message.lines.map(({ name, rawName }) => [name, rawName])).toEqual([
      ['supported', 'k'],
      ['supported', 'SUPPORTED'],
      ['supported', 'Supported'],
      ['x-y', 'X-y'],
      ['x-y', 'x-Y'],
    ]);
    expect(message.lines.map(({ start, end }) => message.raw.slice(start, end)).join('')).toBe(
      message.raw.slice(message.raw.indexOf('\n') + 1, -2),
    );
  });

  it('knows each row of the registry by both its names', () => {
    for (const [key, spec] of Object.entries(HEADERS)) {
      expect(key).toBe(spec.name.toLowerCase());
      expect(requestOf(lines('OPTIONS sip:a SIP/2.0', `${spec.name}: v`, '')).header(key)).toBe('v');
      if ('compact' in spec)
        expect(requestOf(lines('OPTIONS sip:a SIP/2.0', `${spec.compact}: v`, '')).header(key)).toBe('v');
    }
    const compact = Object.values(HEADERS).flatMap((spec) => ('compact' in spec ? [spec.compact] : []));
    // IANA SIP Parameters, Header Fields: all compact forms
    expect(compact.sort().join('')).toBe('abcdefijklmnorstuvxy');
  });
});

describe('limits', () => {
  const many = (count: number, line: string) => Array.from({ length: count }, () => line);
  const cases: readonly (readonly [string, string, number, string])[] = [
    ['a head past 64 KiB', 'head-too-large', 513, registerWith(...many(12, `X: ${'a'.repeat(6000)}`))],
    ['a body past 64 KiB', 'body-too-large', 413, registerWith() + 'b'.repeat(LIMITS.bodyBytes + 1)],
    ['201 headers', 'too-many-headers', 513, registerWith(...many(195, 'X: 1'))],
    ['a line past 8 KiB', 'line-too-long', 513, registerWith(`X: ${'a'.repeat(LIMITS.lineBytes)}`)],
    ['71 Vias on lines', 'too-many-vias', 513, registerWith(...many(LIMITS.vias, 'Via: SIP/2.0/UDP a'))],
    [
      '71 Vias in a line',
      'too-many-vias',
      513,
      registerWith(`Via: ${many(LIMITS.vias, 'SIP/2.0/UDP a').join(',')}`),
    ],
    ['200 KiB', 'message-too-large', 513, 'a'.repeat(200 * 1024)],
  ];
  it.each(cases)('refuses %s: %s', (_, code, status, raw) => {
    expect(verdict(raw, false)).toMatchObject({ code, status });
  });
  it('refuses 33 Contacts', () => {
    const request = requestOf(registerWith(`Contact: ${many(LIMITS.contacts + 1, '<sip:a@b>').join(',')}`));
    expect(problemOf(request.contacts())).toMatchObject({
      code: 'too-many-contacts',
      header: 'contact',
      status: 513,
    });
  });
  it('accepts what is just within', () => {
    expect(verdict(registerWith(...many(194, 'X: 1')), false)).toBeUndefined();
    const request = requestOf(registerWith(`Contact: ${many(LIMITS.contacts, '<sip:a@b>').join(',')}`));
    expect(request.contacts().ok).toBe(true);
    expect(verdict(registerWith(...many(LIMITS.vias - 1, 'Via: SIP/2.0/UDP a')), false)).toBeUndefined();
  });
});

describe('checkRequest', () => {
  const options = (...headers: readonly string[]) =>
    requestOf(
      lines(
        'OPTIONS sip:a SIP/2.0',
        'Via: SIP/2.0/UDP a',
        'To: <sip:a>',
        'From: <sip:b>',
        'Call-ID: c',
        'CSeq: 1 OPTIONS',
        ...headers,
        '',
      ),
    );
  it('wants the headers of RFC 3261 §8.1.1 but Max-Forwards', () => {
    expect(checkRequest(options(), { stream: false })).toBeUndefined();
    for (const name of ['Via', 'To', 'From', 'Call-ID', 'CSeq']) {
      const without = requestOf(options().raw.replace(new RegExp(`${name}: .*\r\n`), ''));
      expect(checkRequest(without, { stream: false })).toMatchObject({
        code: 'header-missing',
        header: name.toLowerCase(),
        status: 400,
      });
    }
  });
  it('wants a Content-Length on a stream (§18.3)', () => {
    expect(checkRequest(options(), { stream: true })).toMatchObject({
      code: 'content-length-missing',
      status: 400,
    });
    expect(checkRequest(options('Content-Length: 0'), { stream: true })).toBeUndefined();
  });
  it.each(['Content-Length: 5', 'l: 0', 'Max-Forwards: 1', 'Event: x', 'Expires: 1', 'Content-Type: a/b'])(
    'refuses a second %s',
    (header) => {
      expect(checkRequest(options(header, header), { stream: false })).toMatchObject({
        code: 'header-repeated',
        status: 400,
      });
    },
  );
  it.each([
    ['SUBSCRIBE', undefined],
    ['PUBLISH', undefined],
    ['MESSAGE', 416],
  ])('RFC 3856 §6.1 a pres URI in %s', (method, status) => {
    const raw = options().raw.replaceAll('OPTIONS', method).replace('sip:a SIP', 'pres:bob@a SIP');
    expect(checkRequest(requestOf(raw), { stream: false })?.status).toBe(status);
  });
  it('R-scheme 416 for a scheme that nobody understands', () => {
    expect(
      checkRequest(requestOf(options().raw.replace('sip:a SIP', 'http://a SIP')), { stream: false })?.status,
    ).toBe(416);
    expect(
      checkRequest(requestOf(options().raw.replace('sip:a SIP', 'tel:+1 SIP')), { stream: false }),
    ).toBeUndefined();
  });
  it('checks responses by the same rules', () => {
    const response = responseOf(respond(options(), 200));
    expect(checkResponse(response)).toBeUndefined();
    expect(checkResponse(responseOf(response.raw.replace(/Via.*\r\n/, '')))?.code).toBe('header-missing');
  });
});

describe('respond', () => {
  it('R04 copies Via, From, To, Call-ID and CSeq and adds a To tag (RFC 3261 §8.2.6)', () => {
    const request = requestOf(registerWith('v: SIP/2.0/TCP b, SIP/2.0/UDP c'));
    expect(respond(request, 200, { toTag: 'x', headers: 'Contact: <sip:a@b>\r\n' })).toBe(
      lines(
        'SIP/2.0 200 OK',
        'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKtest',
        'v: SIP/2.0/TCP b, SIP/2.0/UDP c',
        'From: <sip:alice@example.test>;tag=1',
        'To: <sip:alice@example.test>;tag=x',
        'Call-ID: c1',
        'CSeq: 1 REGISTER',
        'Contact: <sip:a@b>',
        'Content-Length: 0',
        '',
      ),
    );
  });
  it('leaves a To tag alone, takes a reason, a Via and a body', () => {
    const request = requestOf(
      registerWith().replace('To: <sip:alice@example.test>', 'To: <sip:alice@example.test>;tag=dialog'),
    );
    const response = responseOf(
      respond(request, 489, {
        toTag: 'x',
        reason: 'No',
        topVia: 'SIP/2.0/UDP z',
        body: 'b',
        contentType: 'text/plain',
      }),
    );
    expect([response.status, response.reason, response.body]).toEqual([489, 'No', 'b']);
    expect(response.header('to')).toBe('<sip:alice@example.test>;tag=dialog');
    expect(response.headers('via')).toEqual(['SIP/2.0/UDP z']);
    expect(response.header('content-type')).toBe('text/plain');
  });
  it('replaces only the first value of a Via line', () => {
    const request = requestOf(registerWith().replace('z9hG4bKtest', 'z9hG4bKtest , SIP/2.0/TCP b'));
    expect(responseOf(respond(request, 200, { topVia: 'SIP/2.0/UDP z' })).header('via')).toBe(
      'SIP/2.0/UDP z , SIP/2.0/TCP b',
    );
  });
  it('brings the Timestamp back in a 100 (§8.2.6.1)', () => {
    const request = requestOf(registerWith('Timestamp: 54'));
    expect(respond(request, 100)).toContain('Timestamp: 54\r\n');
    expect(respond(request, 200)).not.toContain('Timestamp');
  });
});

describe('edit', () => {
  const raw = registerWith(
    'Max-Forwards: 70',
    'Route: <sip:a;lr>, <sip:b;lr>',
    'X-Inner-A: 1',
    'Authorization: Digest a=b',
    'x-INNER-b : 2',
  );
  const request = requestOf(raw);
  const edited = (changes: Parameters<typeof edit>[1]) => requestOf(edit(request, changes));

  it('changes nothing by itself', () => {
    expect(edit(request, {})).toBe(raw);
  });
  it('replaces Request-URI, top Via and Max-Forwards in their places', () => {
    expect(edit(request, { requestUri: 'sip:z', topVia: 'SIP/2.0/UDP z', maxForwards: 69 })).toBe(
      raw
        .replace('sip:example.test SIP', 'sip:z SIP')
        .replace('SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKtest', 'SIP/2.0/UDP z')
        .replace('Max-Forwards: 70', 'Max-Forwards: 69'),
    );
  });
  it('adds a Max-Forwards where there is none', () => {
    expect(requestOf(edit(requestOf(registerWith()), { maxForwards: 70 })).header('max-forwards')).toBe('70');
  });
  it('puts lines first and last', () => {
    const { lines: all } = edited({ prepend: 'Via: SIP/2.0/TCP n\r\n', append: 'Path: <sip:p>\r\n' });
    expect([all[0]?.name, all.at(-1)?.name]).toEqual(['via', 'path']);
  });
  it('removes by name and by prefix, however it is spelt', () => {
    const names = edited({ remove: ['authorization', 'x-inner-*', 'nothing'] }).lines.map(({ name }) => name);
    expect(names).toEqual([
      'via',
      'from',
      'to',
      'call-id',
      'cseq',
      'max-forwards',
      'route',
      'content-length',
    ]);
  });
  it('drops the first value of list headers', () => {
    const once = edited({ dropFirst: ['via', 'route'] });
    expect(once.has('via')).toBe(false);
    expect(once.header('route')).toBe('<sip:b;lr>');
    expect(requestOf(edit(once, { dropFirst: ['route'] })).has('route')).toBe(false);
    const two = requestOf(registerWith('Route: <sip:a,b;lr>', 'Route: <sip:c;lr>'));
    expect(requestOf(edit(two, { dropFirst: ['route'] })).headers('route')).toEqual(['<sip:c;lr>']);
  });
  it('replaces the body with its length', () => {
    const message = edited({ body: 'hello' });
    expect([message.body, message.header('content-length')]).toEqual(['hello', '5']);
  });
  it('completes what a datagram may leave out', () => {
    const bare = registerWith().replace('Content-Length: 0\r\n', '');
    expect(requestOf(edit(requestOf(`${bare}body`), {})).header('content-length')).toBe('4');
    expect(edit(requestOf(`${registerWith()}rest`), {})).toBe(registerWith());
  });
});

describe('writeRequest', () => {
  it('adds the body with its length', () => {
    const raw = writeRequest('NOTIFY', 'sip:a@b', {
      headers: 'Via: SIP/2.0/UDP a\r\n',
      body: '<x/>',
      contentType: 'text/xml',
    });
    const request = requestOf(raw);
    expect([request.method, request.requestUri, request.body, request.header('content-type')]).toEqual([
      'NOTIFY',
      'sip:a@b',
      '<x/>',
      'text/xml',
    ]);
    expect(edit(request, {})).toBe(raw);
  });
});

describe('tables and text', () => {
  it('knows the methods and phrases of IANA', () => {
    expect(Object.keys(METHODS)).toHaveLength(14);
    expect([isMethod('REGISTER'), isMethod('register'), isMethod('toString')]).toEqual([true, false, false]);
    expect([200, 423, 439, 489, 299, 777].map(reasonPhrase)).toEqual([
      'OK',
      'Interval Too Brief',
      'First Hop Lacks Outbound Support',
      'Bad Event',
      'Success',
      'Unknown',
    ]);
  });
  it('INJ17 ADV08 shows octets as text of one line', () => {
    expect(displayText('Z\xc3\xbcrich')).toBe('Zürich');
    expect(displayText('a\x1b[31m\r\nb\x00\x7f')).toBe('a\\x1b[31m\\x0d\\x0ab\\x00\\x7f');
    expect(displayText(Buffer.from('\u202etxt', 'utf8').toString('latin1'))).toBe('\\u202etxt');
    expect(displayText('\xff')).toBe('\ufffd');
  });
  it('says where a problem is in a folded value: at the value', () => {
    const request = requestOf(fixture('phones/pub-snom105-3.56p-REGISTER-folded.sip'));
    expect(problemOf(request.authorization()).at).toBe(request.raw.indexOf('Digest'));
    expect(valueOf(messageOf(registerWith('Max-Forwards:', ' 70')).maxForwards())).toBe(70);
  });
});
