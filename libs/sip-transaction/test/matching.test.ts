import { describe, expect, it } from 'vitest';
import { parseMessage, respond, SipRequest, SipResponse } from '@rollcall/sip';
import {
  ackFor,
  cancelFor,
  clientKey,
  clientKeyOf,
  isUniqueBranch,
  legacyAckKeyOf,
  reasonLines,
  serverKeyOf,
} from '../src/index.ts';

interface Parts {
  readonly method?: string;
  readonly uri?: string;
  readonly via?: string;
  readonly from?: string;
  readonly to?: string;
  readonly callId?: string;
  readonly cseq?: string;
}

function request(parts: Parts = {}): SipRequest {
  const method = parts.method ?? 'INVITE';
  const parsed = parseMessage(
    [
      `${method} ${parts.uri ?? 'sip:bob@example.test'} SIP/2.0`,
      `Via: ${parts.via ?? 'SIP/2.0/UDP host.example.test:5062;branch=z9hG4bKabc'}, SIP/2.0/UDP below;branch=z9hG4bKbelow`,
      'Route: <sip:p1.example.test;lr>, <sip:p2.example.test;lr>',
      `From: ${parts.from ?? '<sip:alice@example.test>;tag=a'}`,
      `To: ${parts.to ?? '<sip:bob@example.test>'}`,
      `Call-ID: ${parts.callId ?? 'c1'}`,
      `CSeq: ${parts.cseq ?? `7 ${method}`}`,
      'Content-Length: 0',
      '',
      '',
    ].join('\r\n'),
  );
  if (!parsed.ok || !(parsed.value instanceof SipRequest)) throw new Error('not a request');
  return parsed.value;
}

function response(to: SipRequest, status: number): SipResponse {
  const parsed = parseMessage(respond(to, status, { toTag: 'b' }));
  if (!parsed.ok || !(parsed.value instanceof SipResponse)) throw new Error('not a response');
  return parsed.value;
}

describe('RFC 3261 §17.1.3 matching responses to client transactions', () => {
  it('by the branch of the top Via and the method of the CSeq', () => {
    expect(clientKeyOf(response(request(), 200))).toBe(clientKey('z9hG4bKabc', 'INVITE'));
    expect(clientKey('z9hG4bKabc', 'CANCEL')).not.toBe(clientKey('z9hG4bKabc', 'INVITE'));
  });
  it('is impossible without a branch', () => {
    expect(clientKeyOf(response(request({ via: 'SIP/2.0/UDP h' }), 200))).toBeUndefined();
  });
});

describe('RFC 3261 §17.2.3 matching requests to server transactions', () => {
  const same = (a: Parts, b: Parts): boolean => serverKeyOf(request(a)) === serverKeyOf(request(b));

  describe('with the magic cookie: branch, sent-by and method', () => {
    it('nothing else counts', () => {
      expect(same({}, { uri: 'sip:x@y', to: '<sip:z@y>;tag=t', callId: 'other', cseq: '9 INVITE' })).toBe(
        true,
      );
    });
    it.each([
      ['branch', { via: 'SIP/2.0/UDP host.example.test:5062;branch=z9hG4bKabd' }],
      ['sent-by host', { via: 'SIP/2.0/UDP other.example.test:5062;branch=z9hG4bKabc' }],
      ['sent-by port', { via: 'SIP/2.0/UDP host.example.test:5063;branch=z9hG4bKabc' }],
      ['method', { method: 'OPTIONS' }],
    ])('another %s is another transaction', (_, parts) => {
      expect(same({}, parts)).toBe(false);
    });
    it('hosts are compared without case', () => {
      expect(same({}, { via: 'SIP/2.0/UDP HOST.example.test:5062;branch=z9hG4bKabc' })).toBe(true);
    });
    it('an ACK belongs to its INVITE; the INVITE of a CANCEL is asked for by method', () => {
      expect(same({}, { method: 'ACK' })).toBe(true);
      expect(same({}, { method: 'CANCEL' })).toBe(false);
      expect(serverKeyOf(request({ method: 'CANCEL' }), 'INVITE')).toBe(serverKeyOf(request()));
    });
  });

  describe('without it (RFC 2543): Request-URI, tags, Call-ID, CSeq and top Via', () => {
    const via = 'SIP/2.0/UDP host.example.test:5062';
    it('all the same is a retransmission', () => {
      expect(same({ via }, { via })).toBe(true);
    });
    it.each([
      ['Request-URI', { via, uri: 'sip:bob@other.test' }],
      ['To tag', { via, to: '<sip:bob@example.test>;tag=x' }],
      ['From tag', { via, from: '<sip:alice@example.test>;tag=x' }],
      ['Call-ID', { via, callId: 'c2' }],
      ['CSeq', { via, cseq: '8 INVITE' }],
      ['method', { via, method: 'OPTIONS' }],
      ['top Via', { via: `${via};x=1` }],
    ])('another %s is another transaction', (_, parts) => {
      expect(same({ via }, parts)).toBe(false);
    });
    it('the ACK is found by all but the To tag', () => {
      const invite = request({ via });
      const ack = request({ via, method: 'ACK', to: '<sip:bob@example.test>;tag=ours' });
      expect(serverKeyOf(ack)).toBe(legacyAckKeyOf(invite));
      expect(legacyAckKeyOf(request())).toBeUndefined();
    });
    it('a CANCEL finds its INVITE', () => {
      expect(serverKeyOf(request({ via, method: 'CANCEL' }), 'INVITE')).toBe(serverKeyOf(request({ via })));
    });
    it('a branch that is only the cookie is no branch (RFC 4475 §3.2.1)', () => {
      expect(isUniqueBranch('z9hG4bK')).toBe(false);
      expect(isUniqueBranch('z9hG4bKx')).toBe(true);
      expect(isUniqueBranch('1')).toBe(false);
      const bare = `${via};branch=z9hG4bK`;
      expect(same({ via: bare, callId: 'c1' }, { via: bare, callId: 'c2' })).toBe(false);
    });
  });
});

describe('RFC 3261 §17.1.1.3 the ACK to a non-2xx, and §9.1 the CANCEL', () => {
  it("the ACK: the INVITE's top Via, Route, From, Call-ID and number; the To of the response", () => {
    expect(ackFor(request(), response(request(), 486))).toEqual({
      ok: true,
      value: [
        'ACK sip:bob@example.test SIP/2.0',
        'Via: SIP/2.0/UDP host.example.test:5062;branch=z9hG4bKabc',
        'Route: <sip:p1.example.test;lr>, <sip:p2.example.test;lr>',
        'Max-Forwards: 70',
        'From: <sip:alice@example.test>;tag=a',
        'To: <sip:bob@example.test>;tag=b',
        'Call-ID: c1',
        'CSeq: 7 ACK',
        'Content-Length: 0',
        '',
        '',
      ].join('\r\n'),
    });
  });
  it('the CANCEL: the To of the INVITE, without a tag', () => {
    const cancel = cancelFor(request());
    expect(cancel.ok && cancel.value).toContain('\r\nTo: <sip:bob@example.test>\r\n');
    expect(cancel.ok && cancel.value).toContain('\r\nCSeq: 7 CANCEL\r\n');
  });
  it('RFC 3326 the Reason lines of a CANCEL go into the next one', () => {
    const reasons = 'Reason: SIP;cause=200;text="Call completed elsewhere"\r\nReason: Q.850;cause=26\r\n';
    const cancel = cancelFor(request(), reasons);
    expect(cancel.ok && cancel.value).toContain(`\r\n${reasons}`);
    const parsed = parseMessage(cancel.ok ? cancel.value : '');
    expect(parsed.ok && parsed.value.kind === 'request' && reasonLines(parsed.value)).toBe(reasons);
  });
});
