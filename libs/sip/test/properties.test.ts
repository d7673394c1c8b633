import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  StreamFramer,
  checkRequest,
  checkResponse,
  displayText,
  edit,
  escapeUser,
  parseMessage,
  parseUri,
  respond,
  unescapeUser,
  uriEquals,
  viaFrom,
  writeRequest,
} from '../src/index.ts';
import type { FramerEvent } from '../src/index.ts';
import { fixture, fixturesIn, readTyped, requestOf, valueOf } from './wire.ts';

/** The same cases in every run: a failure is found again by its number. */
const SEED = { seed: 3261, numRuns: 300 };

const from = (characters: string) => fc.constantFrom(...characters.split(''));
const text = (characters: string, minLength: number, maxLength: number) =>
  fc.array(from(characters), { minLength, maxLength }).map((list) => list.join(''));
const LETTERS = 'abcXYZ019';
const token = text(`${LETTERS}-.!%*_+\`'~`, 1, 12);
const octets = fc
  .array(fc.integer({ min: 0, max: 255 }), { maxLength: 200 })
  .map((codes) => String.fromCharCode(...codes));
const host = fc.oneof(
  fc.constantFrom('example.test', 'a.b-c.d', '192.0.2.1', '[2001:db8::1]', 'x'),
  text('abcxyz', 1, 10),
);
const user = octets.filter((value) => value !== '').map(escapeUser);
const quoted = octets.map(
  (value) =>
    `"${value.replace(/[\r\n\x80-\xff]/g, '').replace(/[^ !#-[\]-~\t]/g, (character) => `\\${character}`)}"`,
);
const uriParam = fc
  .tuple(text('abcdefgh', 1, 6), fc.option(text(`${LETTERS}[]/:&+$-_.`, 1, 8)))
  .map(([name, value]) => (value === null ? name : `${name}=${value}`));
const uri = fc
  .tuple(
    fc.constantFrom('sip', 'sips', 'SIP'),
    fc.option(user),
    host,
    fc.option(fc.integer({ min: 0, max: 65535 })),
    fc.uniqueArray(uriParam, { maxLength: 3, selector: (param) => param.split('=')[0] }),
  )
  .map(
    ([scheme, name, at, port, params]) =>
      `${scheme}:${name === null ? '' : `${name}@`}${at}${port === null ? '' : `:${String(port)}`}${params.map((param) => `;${param}`).join('')}`,
  );
const headerParam = fc
  .tuple(text('uvwxyz', 1, 6), fc.option(fc.oneof(token, quoted)))
  .map(([name, value]) => (value === null ? name : `${name}=${value}`));
const headerParams = fc
  .uniqueArray(headerParam, { maxLength: 3, selector: (param) => param.split('=')[0] })
  .map((params) => params.map((param) => `;${param}`).join(''));

/** The parts of a canonical message: how this project prints one. */
const model = fc.record({
  method: fc.constantFrom('REGISTER', 'SUBSCRIBE', 'OPTIONS', 'X-y'),
  requestUri: uri,
  viaHost: host,
  branch: token,
  fromDisplay: fc.option(quoted),
  fromUri: uri,
  fromTag: token,
  fromParams: headerParams,
  toUri: uri,
  callId: text(`${LETTERS}()<>:\\"/[]?{}`, 1, 20),
  seq: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  maxForwards: fc.integer({ min: 0, max: 255 }),
  contacts: fc.array(fc.tuple(uri, headerParams), { maxLength: 3 }),
  unknown: fc.array(
    fc.tuple(
      token.filter((name) => name.length > 3),
      text(`${LETTERS} ,;"<>=\xe9`, 0, 30),
    ),
    { maxLength: 3 },
  ),
  body: octets,
});
type Model = typeof model extends fc.Arbitrary<infer T> ? T : never;

const print = (message: Model): string =>
  writeRequest(message.method, message.requestUri, {
    headers: [
      `Via: SIP/2.0/UDP ${message.viaHost};branch=z9hG4bK${message.branch}`,
      `From: ${message.fromDisplay === null ? '' : `${message.fromDisplay} `}<${message.fromUri}>;tag=${message.fromTag}${message.fromParams}`,
      `To: <${message.toUri}>`,
      `Call-ID: ${message.callId}`,
      `CSeq: ${String(message.seq)} ${message.method}`,
      `Max-Forwards: ${String(message.maxForwards)}`,
      ...message.contacts.map(([contact, params]) => `Contact: <${contact}>${params}`),
      ...message.unknown.map(([name, value]) => `X-${name}: ${value}`),
    ]
      .map((line) => `${line}\r\n`)
      .join(''),
    body: message.body,
    contentType: 'application/octet-stream',
  });

describe('what is printed is read back', () => {
  it('print(parse(x)) = x for canonical messages', () => {
    fc.assert(
      fc.property(model, (message) => {
        const raw = print(message);
        expect(edit(requestOf(raw), {})).toBe(raw);
      }),
      SEED,
    );
  });

  it('parse(print(m)) = m', () => {
    fc.assert(
      fc.property(model, (message) => {
        const request = requestOf(print(message));
        expect(checkRequest(request, { stream: true })).toBeUndefined();
        expect(request.method).toBe(message.method);
        expect(valueOf(request.uri()).text).toBe(message.requestUri);
        expect(valueOf(request.topVia())).toMatchObject({
          host: message.viaHost,
          branch: `z9hG4bK${message.branch}`,
        });
        const sender = valueOf(request.from());
        expect([sender.uriText, sender.tag]).toEqual([message.fromUri, message.fromTag]);
        expect(sender.display).toBe(message.fromDisplay?.slice(1, -1).replace(/\\([^])/g, '$1'));
        expect(valueOf(request.to()).uriText).toBe(message.toUri);
        expect(valueOf(request.callId())).toBe(message.callId);
        expect(valueOf(request.cseq())).toEqual({ seq: message.seq, method: message.method });
        expect(valueOf(request.maxForwards())).toBe(message.maxForwards);
        const contacts = valueOf(request.contacts());
        expect(
          contacts.kind === 'list'
            ? contacts.contacts.map(({ uriText, paramsText }) => [uriText, paramsText])
            : [],
        ).toEqual(message.contacts);
        for (const [name, value] of message.unknown) {
          expect(request.headers(`x-${name.toLowerCase()}`)).toContain(value.replace(/^ +| +$/g, ''));
        }
        expect(request.body).toBe(message.body);
      }),
      SEED,
    );
  });

  it('a response carries what it has to copy', () => {
    fc.assert(
      fc.property(model, token, (message, tag) => {
        const request = requestOf(print(message));
        const parsed = valueOf(parseMessage(respond(request, 200, { toTag: tag })));
        expect(parsed.kind === 'response' && checkResponse(parsed)).toBeUndefined();
        expect(valueOf(parsed.to())).toMatchObject({ uriText: message.toUri, tag });
        for (const name of ['via', 'from', 'call-id', 'cseq'])
          expect(parsed.headers(name)).toEqual(request.headers(name));
      }),
      SEED,
    );
  });

  it('URIs equal themselves, however they are escaped', () => {
    fc.assert(
      fc.property(uri, octets, (value, name) => {
        expect(uriEquals(valueOf(parseUri(value)), valueOf(parseUri(value)))).toBe(true);
        expect(unescapeUser(escapeUser(name))).toBe(name);
      }),
      SEED,
    );
  });
});

/** Uses everything that this package has on a message; whatever the octets are, nothing may throw. */
function exercise(raw: string): void {
  const parsed = parseMessage(raw);
  const message = parsed.ok ? parsed.value : parsed.error.request;
  if (!parsed.ok) {
    expect(parsed.error.status).toBeGreaterThanOrEqual(400);
    expect(parsed.error.at).toBeLessThanOrEqual(raw.length * 2 + 4);
  }
  if (message === undefined) return;
  for (const [, outcome] of readTyped(message)) {
    if (!outcome.ok) expect(outcome.error?.at).toBeLessThanOrEqual(message.raw.length);
  }
  message.options('require');
  expect(message.lines.every(({ start, end }) => start < end)).toBe(true);
  const via = message.topVia();
  if (via.ok)
    expect(
      parseMessage(edit(message, { topVia: viaFrom(via.value, '192.0.2.9', 5060) })).ok || !parsed.ok,
    ).toBe(true);
  if (message.kind === 'response') {
    checkResponse(message);
    return;
  }
  checkRequest(message, { stream: false });
  displayText(message.requestUri);
  const answer = parseMessage(respond(message, 400, { toTag: 't' }));
  expect(answer.ok || answer.error.code).toBe(true);
  const spliced = parseMessage(
    edit(message, {
      dropFirst: ['via', 'route'],
      remove: ['contact', 'x-*'],
      maxForwards: 1,
      append: 'X: 1\r\n',
    }),
  );
  if (parsed.ok && !spliced.ok) expect(['too-many-headers', 'head-too-large']).toContain(spliced.error.code);
}

const CORPUS = ['rfc4475', 'rfc5118', 'rfc5118-crlf', 'phones'].flatMap(fixturesIn).map(fixture);
const WEIRD = [
  '\0',
  '\r',
  '\n',
  '\r\n',
  '"',
  '\\',
  '<',
  '>',
  ',',
  ';',
  '=',
  '%',
  ':',
  '@',
  ' ',
  '\t',
  '\xff',
  '\u0141',
  '[',
  '*',
  '?',
];

/** A real message with some octets replaced, inserted, removed or doubled. */
const mutant = fc
  .tuple(
    fc.constantFrom(...CORPUS),
    fc.array(
      fc.tuple(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 0, max: 12 }),
        fc.constantFrom(...WEIRD),
      ),
      {
        minLength: 1,
        maxLength: 6,
      },
    ),
  )
  .map(([raw, changes]) =>
    changes.reduce((message, [place, cut, insert]) => {
      // most of what matters is in the head
      const head = message.search(/\r?\n\r?\n/);
      const at = Math.floor(place * (head < 0 ? message.length : head + 4));
      return message.slice(0, at) + insert + message.slice(at + cut);
    }, raw),
  );

describe('no input makes it throw', () => {
  it('K18 mutated messages', () => {
    fc.assert(fc.property(mutant, exercise), { seed: 3261, numRuns: 1500 });
  });
  it('every prefix of a message', () => {
    const raw = fixture('rfc4475/wsinv.sip');
    for (let end = 0; end <= raw.length; end += 1) exercise(raw.slice(0, end));
  });
  it('random octets', () => {
    fc.assert(fc.property(octets, exercise), { seed: 3261, numRuns: 1000 });
    fc.assert(
      fc.property(octets, (noise) => {
        exercise(
          `REGISTER sip:a SIP/2.0\r\nVia: ${noise}\r\nContact: ${noise}\r\nAuthorization: Digest ${noise}\r\nFrom: ${noise}\r\n\r\n`,
        );
      }),
      { seed: 3261, numRuns: 1000 },
    );
  });
  it('URIs of random text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          octets.map((noise) => `sip:${noise}`),
        ),
        (noise) => {
          const parsed = parseUri(noise);
          if (parsed.ok) expect(uriEquals(parsed.value, valueOf(parseUri(parsed.value.text)))).toBe(true);
        },
      ),
      { seed: 3261, numRuns: 1000 },
    );
  });
});

describe('streams', () => {
  it('SMUG any stream in any pieces gives the same events', () => {
    const stream = fc
      .array(fc.oneof(fc.constantFrom(...CORPUS), mutant, fc.constant('\r\n\r\n'), fc.constant('\r\n')), {
        minLength: 1,
        maxLength: 4,
      })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(
        stream,
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 }),
        (whole, sizes) => {
          const limits = { maxHeaderBytes: 2048, maxBodyBytes: 1024 };
          const framer = new StreamFramer(limits);
          const events: FramerEvent[] = [];
          for (let at = 0, i = 0; at < whole.length; i += 1) {
            const size = sizes[i % sizes.length] ?? 1;
            events.push(...framer.push(whole.slice(at, at + size)));
            at += size;
          }
          const summary = (list: readonly FramerEvent[]) =>
            list.map((event) =>
              event.kind === 'problem' ? [event.problem.code, event.problem.at, event.raw] : event,
            );
          expect(summary(events)).toEqual(summary(new StreamFramer(limits).push(whole)));
        },
      ),
      { seed: 3261, numRuns: 500 },
    );
  });
});
