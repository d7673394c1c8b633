import { describe, expect, it } from 'vitest';
import { displayText, edit, parseUri, uriEquals } from '../src/index.ts';
import {
  fixture,
  fixturesIn,
  messageOf,
  problemOf,
  readTyped,
  registerWith,
  requestOf,
  responseOf,
  valueOf,
  verdict,
} from './wire.ts';

/** Phones whose messages are refused, and why; all others are accepted whole. */
const REFUSED: Readonly<Record<string, { readonly code: string; readonly why: string }>> = {
  'phones/pub-aastra-intelligate-REGISTER-bad.sip': {
    code: 'via-params',
    why: 'the sent-by of its Via is "198.51.100.14:5060port"; its Contact has a "<" that is not closed',
  },
  'phones/pub-pa168s-REGISTER-badhost.sip': { code: 'start-line', why: 'a space within the Request-URI' },
};

/** Accepted, but these header fields are refused when they are asked for. */
const UNREADABLE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // P18: a quoted response that does not end
  'phones/pub-snom105-3.56p-REGISTER-folded.sip': { authorization: 'auth-param' },
};

const first = (raw: string) => {
  const contacts = valueOf(requestOf(raw).contacts());
  return contacts.kind === 'list' ? contacts.contacts[0] : undefined;
};

describe('messages of real phones', () => {
  it.each(fixturesIn('phones'))('%s', (file) => {
    const raw = fixture(file);
    const problem = verdict(raw, false);
    expect(problem?.code).toBe(REFUSED[file]?.code);
    if (problem !== undefined) {
      expect(problem.status).toBe(400);
      return;
    }
    const message = messageOf(raw);
    const refused = readTyped(message).filter(([, outcome]) => !outcome.ok);
    expect(Object.fromEntries(refused.map(([name, outcome]) => [name, outcome.error?.code]))).toEqual(
      UNREADABLE[file] ?? {},
    );
    if (message.has('content-length')) expect(edit(message, {})).toBe(raw);
  });
});

describe('what they demand', () => {
  it('P1 an nc in quotes, and no qop', () => {
    const [credentials] = valueOf(
      requestOf(
        registerWith(
          'Authorization: Digest username="a",realm="r",nonce="n",uri="sip:r",response="x",nc="00000001"',
        ),
      ).authorization(),
    );
    expect([credentials?.params.get('nc'), credentials?.params.get('qop')]).toEqual(['00000001', undefined]);
  });

  it('P2 two spaces after the scheme and after commas', () => {
    const [credentials] = valueOf(
      requestOf(
        registerWith('Authorization:  Digest realm="r",  nonce="n", algorithm=MD5,  username="a"'),
      ).authorization(),
    );
    expect([...(credentials?.params ?? [])]).toEqual([
      ['realm', 'r'],
      ['nonce', 'n'],
      ['algorithm', 'MD5'],
      ['username', 'a'],
    ]);
  });

  it('P3 a Content-Length with two spaces, a From without angle brackets', () => {
    const request = requestOf(fixture('phones/pub-pjsua-REGISTER-issue3308.sip'));
    expect(valueOf(request.contentLength())).toBe(0);
    expect(valueOf(requestOf(fixture('rfc4475/dblreq.sip')).from())).toMatchObject({
      uriText: 'sip:j.user@example.com',
      tag: '43251j3j324',
    });
  });

  it('P4 a To with ;transport=UDP is not the same URI as one without', () => {
    const uri = (text: string) => valueOf(parseUri(text));
    expect(uriEquals(uri('sip:a@example.test;transport=UDP'), uri('sip:a@example.test'))).toBe(false);
    expect(uriEquals(uri('sip:a@example.test;transport=UDP'), uri('sip:a@example.test;transport=udp'))).toBe(
      true,
    );
  });

  it('P5 no white space before "<"', () => {
    expect(valueOf(requestOf(fixture('phones/pub-eyebeam-1010f-REGISTER.sip')).to()).uri.kind).toBe('sip');
    expect(first(registerWith('Contact: "x"<sip:a@192.0.2.1>'))).toMatchObject({ display: 'x' });
    expect(first(registerWith('Contact: x y<sip:a@192.0.2.1>'))).toMatchObject({ display: 'x y' });
  });

  it('P6 no Content-Length in a datagram; it is there when the message is sent on', () => {
    const request = requestOf(fixture('phones/live-linphone-003-SUBSCRIBE-presence.sip'));
    expect(valueOf(request.contentLength())).toBeUndefined();
    expect(edit(request, {})).toMatch(/\r\nContent-Length: 0\r\n\r\n$/);
  });

  it('P7 no From tag, no Max-Forwards, no branch', () => {
    const request = requestOf(fixture('phones/pub-sipura-snom100-REGISTER-2543.sip'));
    expect(valueOf(request.from()).tag).toBeUndefined();
    expect(valueOf(request.maxForwards())).toBeUndefined();
    expect(valueOf(request.topVia())).toMatchObject({ port: 9, branch: undefined });
  });

  it('P8 Expires: 2147483647, and a Request-URI without a user', () => {
    expect(valueOf(requestOf(registerWith('Expires: 2147483647')).expires())).toBe(2147483647);
    expect(valueOf(requestOf(registerWith()).uri())).toMatchObject({ user: undefined, host: 'example.test' });
  });

  it('P10 a Contact parameter with "!" in its name', () => {
    expect(
      first(registerWith('Contact: <sip:a@192.0.2.1>;+u.sip!devicename.ccm.cisco.com="SEP"'))?.params.get(
        '+u.sip!devicename.ccm.cisco.com',
      ),
    ).toBe('SEP');
  });

  it('P11 a Call-ID at an IPv6 address without brackets', () => {
    expect(valueOf(requestOf(fixture('phones/pub-jitsi-2.11-REGISTER.sip')).callId())).toContain(
      '@0:0:0:0:0:0:0:0',
    );
  });

  it('P12 commas in quotes do not split the list', () => {
    expect(first(fixture('phones/pub-polycom-vvx350-REGISTER-auth.sip'))?.params.get('methods')).toContain(
      ',',
    );
    const contacts = valueOf(
      requestOf(registerWith('Contact: <sip:a@192.0.2.1>;methods="A,B", <sip:b@192.0.2.1>')).contacts(),
    );
    expect(contacts.kind === 'list' && contacts.contacts.length).toBe(2);
  });

  it('P13 compact forms without a space after the colon', () => {
    const response = responseOf(fixture('phones/pub-freeswitch-200-REGISTER-compact.sip'));
    expect(valueOf(response.topVia())).toMatchObject({ rport: 5060, host: '198.51.100.1' });
    expect(response.options('supported')).toEqual(['timer', 'path', 'replaces']);
    expect(valueOf(response.contentLength())).toBe(0);
  });

  it('P18 an Authorization that breaks off is a problem with a place', () => {
    const request = requestOf(fixture('phones/pub-snom105-3.56p-REGISTER-folded.sip'));
    const problem = problemOf(request.authorization());
    expect(problem).toMatchObject({ code: 'auth-param', header: 'authorization', status: 400 });
    expect(request.raw.slice(problem.at)).toMatch(/^Digest username="ft"/);
  });

  it('P20 a display name in UTF-8', () => {
    const { display } = valueOf(requestOf(fixture('phones/pub-audiocodes-webrtc-REGISTER-utf8.sip')).from());
    expect(displayText(display ?? '')).toMatch(/^\p{Script=Han}+ \p{Script=Han}+ \(Agent\)$/u);
  });
});
