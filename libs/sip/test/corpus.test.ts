import { describe, expect, it } from 'vitest';
import {
  StreamFramer,
  checkRequest,
  edit,
  parseMessage,
  respond,
  unescapeUser,
  uriEquals,
} from '../src/index.ts';
import type { FramerEvent, ParseProblem } from '../src/index.ts';
import { EXPECTATIONS } from './expectations.ts';
import type { Refusal } from './expectations.ts';
import {
  fixture,
  fixturesIn,
  problemOf,
  readTyped,
  requestOf,
  responseOf,
  valueOf,
  verdict,
} from './wire.ts';

interface Row {
  readonly file: string;
  readonly section: string;
  readonly title: string;
  readonly udp: readonly (string | readonly never[])[];
}

const INDEX = JSON.parse(fixture('INDEX.json')) as readonly Row[];
const FILES = ['rfc4475', 'rfc5118', 'rfc5118-crlf'].flatMap(fixturesIn);

const expectationOf = (file: string) => {
  const expectation = EXPECTATIONS[file];
  if (expectation === undefined) throw new Error(`no expectation for ${file}`);
  return expectation;
};

/** The octets that offsets of problems count in. */
function indexedText(file: string): string {
  const parsed = parseMessage(fixture(file));
  return parsed.ok ? parsed.value.raw : (parsed.error.request?.raw ?? fixture(file));
}

function expectRefusal(file: string, problem: ParseProblem | undefined, refusal: Refusal): void {
  expect(problem).toMatchObject({ code: refusal.code, status: refusal.status });
  expect(problem?.header).toBe(refusal.header);
  expect(indexedText(file).slice(problem?.at).slice(0, refusal.at.length)).toBe(refusal.at);
}

const frame = (raw: string): FramerEvent[] =>
  new StreamFramer({ maxHeaderBytes: 65536, maxBodyBytes: 65536 }).push(raw);

const nameOf = (event: FramerEvent): string =>
  event.kind === 'problem' ? `problem ${event.problem.code} ${String(event.problem.status)}` : event.kind;

describe('B24 the 74 messages of RFC 4475 and RFC 5118', () => {
  it('are all here, each with an expectation', () => {
    expect(FILES).toHaveLength(74);
    expect(Object.keys(EXPECTATIONS).sort()).toEqual([...FILES].sort());
    expect(INDEX.map((row) => row.file).sort()).toEqual([...FILES].sort());
  });

  it.each(INDEX)('B24 $file ($section $title)', ({ file, udp }) => {
    const { udp: expected, stream, frames, reads = {} } = expectationOf(file);
    const raw = fixture(file);
    const asDatagram = verdict(raw, false);
    const parsed = parseMessage(raw);
    if (expected === 'accepted') {
      expect(asDatagram).toBeUndefined();
      // what is right to answer is more than 400, or nothing at all
      expect(udp.length === 0 || udp.some((status) => status !== '400')).toBe(true);
      const refused = readTyped(parsed.ok ? parsed.value : (raw as never)).filter(
        ([, outcome]) => !outcome.ok,
      );
      expect(Object.fromEntries(refused.map(([name, outcome]) => [name, outcome.error?.code]))).toEqual(
        reads,
      );
    } else {
      expectRefusal(file, asDatagram, expected);
      // a response is discarded, whatever the status of the problem
      if (udp.length > 0) expect(udp).toContain(String(expected.status));
      else expect(raw.startsWith('SIP/')).toBe(true);
    }
    const asStream = verdict(raw, true);
    if (stream !== undefined) expectRefusal(file, asStream, stream);
    else expect(asStream).toEqual(asDatagram);
    expect(frame(raw).map(nameOf)).toEqual(frames);
  });

  it.each(FILES)('B24 %s can be refused, or carries no request', (file) => {
    const parsed = parseMessage(fixture(file));
    const request = parsed.ok
      ? parsed.value.kind === 'request'
        ? parsed.value
        : undefined
      : parsed.error.request;
    if (request === undefined) return;
    const refusal = respond(request, 400, { toTag: 'refused' });
    expect(refusal).not.toContain('undefined');
    const response = responseOf(refusal);
    expect(response.headers('call-id')).toEqual(request.headers('call-id').slice(0, 1));
    expect(response.headers('via')).toEqual(request.headers('via'));
  });
});

describe('RFC 4475: what is read of them', () => {
  it('B24 3.1.1.1 wsinv: folds, compact forms, numbers with zeros in front', () => {
    const request = requestOf(fixture('rfc4475/wsinv.sip'));
    expect(valueOf(request.maxForwards())).toBe(68);
    expect(valueOf(request.cseq())).toEqual({ seq: 9, method: 'INVITE' });
    expect(valueOf(request.from())).toMatchObject({ display: 'J Rosenberg \\"', tag: '98asjd8' });
    expect(valueOf(request.to())).toMatchObject({
      uriText: 'sip:vivekg@chair-dnrc.example.com',
      tag: '1918181833n',
    });
    expect(valueOf(request.vias()).map((via) => [via.transport, via.host, via.branch])).toEqual([
      ['UDP', '192.0.2.2', '390skdjuw'],
      ['TCP', 'spindle.example.com', 'z9hG4bK9ikj8'],
      ['UDP', '192.168.255.111', 'z9hG4bK30239'],
    ]);
    const contacts = valueOf(request.contacts());
    expect(contacts.kind === 'list' && contacts.contacts[0]).toMatchObject({
      display: 'Quoted string ""',
      q: 330,
      paramsText: '; newparam = newvalue ; secondparam',
    });
    expect(request.header('newfangledheader')).toBe('newfangled value continued newfangled value');
    expect(request.header('subject')).toBe('');
    expect(request.header('unknownheaderwithunusualvalue')).toBe(';;,,;;,;');
  });

  it('B24 3.1.1.2 intmeth: odd characters are echoed octet for octet', () => {
    const request = requestOf(fixture('rfc4475/intmeth.sip'));
    const response = respond(request, 501, {});
    for (const line of request.lines.filter(({ name }) =>
      ['from', 'to', 'call-id', 'cseq', 'via'].includes(name),
    )) {
      expect(response).toContain(request.raw.slice(line.start, line.end));
    }
    expect(valueOf(request.to()).display).toBe('BEL:\u0007 NUL:\0 DEL:\u007f');
  });

  it('B24 3.1.1.3 esc01: an escape is undone once', () => {
    const contacts = valueOf(requestOf(fixture('rfc4475/esc01.sip')).contacts());
    const uri = contacts.kind === 'list' ? contacts.contacts[0]?.uri : undefined;
    expect(uri?.kind === 'sip' && uri.params.get('n%61me')).toBe('v%61lue%25%34%31');
    expect(unescapeUser('v%61lue%25%34%31')).toBe('value%41');
  });

  it('B24 3.1.1.4 escnull: an escaped NUL is part of the name', () => {
    const request = requestOf(fixture('rfc4475/escnull.sip'));
    const contacts = valueOf(request.contacts());
    const [first, second] = contacts.kind === 'list' ? contacts.contacts : [];
    expect(first !== undefined && second !== undefined && uriEquals(first.uri, second.uri)).toBe(false);
    const to = valueOf(request.to()).uri;
    expect(to.kind === 'sip' && unescapeUser(to.user ?? '')).toBe('null-\0-null');
  });

  it('B24 3.1.1.5 esc02: what looks like an escape is none', () => {
    const request = requestOf(fixture('rfc4475/esc02.sip'));
    expect(request.method).toBe('RE%47IST%45R');
    const contacts = valueOf(request.contacts());
    expect(contacts.kind === 'list' && contacts.contacts).toHaveLength(2);
    expect(valueOf(request.to()).display).toBe('%Z%45');
  });

  it('B24 3.1.1.8 dblreq: a datagram is one message, its rest is discarded and never forwarded', () => {
    const request = requestOf(fixture('rfc4475/dblreq.sip'));
    expect(request.body).toBe('');
    expect(edit(request, {})).not.toContain('INVITE');
    const [first, second] = frame(fixture('rfc4475/dblreq.sip'));
    expect(first?.kind === 'message' && requestOf(first.raw).method).toBe('REGISTER');
    expect(second?.kind === 'message' && requestOf(second.raw).method).toBe('INVITE');
  });

  it('B24 3.1.1.9 semiuri: a semicolon belongs to the user part', () => {
    const uri = valueOf(requestOf(fixture('rfc4475/semiuri.sip')).uri());
    expect(uri.kind === 'sip' && unescapeUser(uri.user ?? '')).toBe('user;par=u@example.net');
  });

  it('B24 3.1.1.11 mpart01: a binary body is framed by its length', () => {
    const [event] = frame(fixture('rfc4475/mpart01.sip'));
    const body = event?.kind === 'message' ? requestOf(event.raw).body : '';
    expect(body).toHaveLength(553);
    expect(body).toContain('\0');
  });

  it('B24 3.1.1.10 transports: unknown transports further down are let be', () => {
    expect(valueOf(requestOf(fixture('rfc4475/transports.sip')).vias()).map((via) => via.transport)).toEqual([
      'UDP',
      'SCTP',
      'TLS',
      'UNKNOWN',
      'TCP',
    ]);
  });

  it('B24 3.3.12 to 3.3.14: whose parameter is it', () => {
    const contactOf = (file: string) => {
      const contacts = valueOf(requestOf(fixture(file)).contacts());
      return contacts.kind === 'list' ? contacts.contacts[0] : undefined;
    };
    expect(contactOf('rfc4475/cparam01.sip')).toMatchObject({
      uriText: 'sip:+19725552222@gw1.example.net',
      paramsText: ';unknownparam',
    });
    expect(contactOf('rfc4475/cparam02.sip')).toMatchObject({
      uriText: 'sip:+19725552222@gw1.example.net;unknownparam',
      paramsText: '',
    });
    expect(contactOf('rfc4475/regescrt.sip')).toMatchObject({
      uri: { kind: 'sip', headers: 'Route=%3Csip:sip.example.com%3E' },
    });
  });

  it('B24 3.3.7 regaut01: an unknown scheme counts as no credentials', () => {
    const request = requestOf(fixture('rfc4475/regaut01.sip'));
    expect(request.has('authorization')).toBe(true);
    expect(valueOf(request.authorization())).toEqual([]);
  });

  it('B24 3.1.2.4 scalar02: expiry is clamped, a Max-Forwards past 255 counts as absent', () => {
    const request = requestOf(fixture('rfc4475/scalar02.sip'));
    expect(problemOf(request.cseq()).code).toBe('cseq');
    expect(valueOf(request.expires())).toBe(2 ** 32 - 1);
    expect(valueOf(request.maxForwards())).toBeUndefined();
    const contacts = valueOf(request.contacts());
    expect(contacts.kind === 'list' && contacts.contacts[0]?.expires).toBe(2 ** 32 - 1);
  });

  it('B24 3.4.1 inv2543: no branch, no From tag, no Max-Forwards', () => {
    const request = requestOf(fixture('rfc4475/inv2543.sip'));
    expect(checkRequest(request, { stream: false })).toBeUndefined();
    expect(valueOf(request.topVia()).branch).toBeUndefined();
    expect(valueOf(request.from()).tag).toBeUndefined();
    expect(valueOf(request.maxForwards())).toBeUndefined();
    expect(request.body.startsWith('v=0')).toBe(true);
  });
});

describe('RFC 5118: what is read of them', () => {
  it.each(['rfc5118', 'rfc5118-crlf'])('B24 4.3, 4.4 %s: a port in the brackets is none', (folder) => {
    const hostPort = (file: string) => {
      const uri = valueOf(requestOf(fixture(`${folder}/${file}.sip`)).uri());
      return uri.kind === 'sip' ? [uri.host, uri.port] : [];
    };
    expect(hostPort('port-ambiguous')).toEqual(['[2001:db8::10:5070]', undefined]);
    expect(hostPort('port-unambiguous')).toEqual(['[2001:db8::10]', 5070]);
  });

  it.each(['rfc5118', 'rfc5118-crlf'])('B24 4.5 %s: received with brackets and without', (folder) => {
    const received = (file: string) => valueOf(requestOf(fixture(`${folder}/${file}.sip`)).topVia()).received;
    expect(received('via-received-param-with-delim')).toBe('[2001:db8::9:255]');
    expect(received('via-received-param-no-delim')).toBe('2001:db8::9:255');
  });

  it('B24 LF line ends come out as CRLF, and the body as it was', () => {
    const raw = fixture('rfc5118/ipv4-mapped-ipv6.sip');
    const request = requestOf(raw);
    expect(request.raw.slice(0, request.bodyStart)).not.toMatch(/[^\r]\n/);
    expect(request.body).toBe(raw.slice(raw.indexOf('\n\n') + 2));
  });
});
