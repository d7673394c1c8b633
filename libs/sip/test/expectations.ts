/** What this package makes of each torture message; the texts of RFC 4475 and RFC 5118 say why. */

export interface Refusal {
  readonly code: string;
  /** Header field that has the problem, lower-case long name. */
  readonly header?: string;
  /** The text that begins where the problem is, in the message with CRLF line ends. */
  readonly at: string;
  readonly status: number;
}

export interface Expectation {
  /** What `parseMessage` and `checkRequest` or `checkResponse` say of it as a datagram. */
  readonly udp: 'accepted' | Refusal;
  /** The same with `stream: true`, where it differs. */
  readonly stream?: Refusal;
  /** What `StreamFramer` makes of it; [] waits for more octets. */
  readonly frames: readonly string[];
  /** Accepted, but these typed header fields are refused when they are asked for. */
  readonly reads?: Readonly<Record<string, string>>;
}

export const EXPECTATIONS: Readonly<Record<string, Expectation>> = {
  'rfc4475/badaspec.sip': {
    udp: { code: 'uri-scheme', header: 'to', at: ' sip:t.watson@ex', status: 400 },
    frames: ['message'],
  },
  'rfc4475/badbranch.sip': {
    udp: { code: 'via-branch', header: 'via', at: 'SIP/2.0/UDP 192.', status: 400 },
    frames: ['message'],
  },
  'rfc4475/baddate.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/baddn.sip': {
    udp: { code: 'display-name', header: 'from', at: ', Alexander <sip', status: 400 },
    frames: [],
  },
  'rfc4475/badinv01.sip': {
    udp: { code: 'via-params', header: 'via', at: ';,;,,\r\nContact: ', status: 400 },
    frames: ['message'],
  },
  'rfc4475/badvers.sip': {
    udp: { code: 'version', at: 'SIP/7.0\r\nVia:   ', status: 505 },
    frames: ['message'],
  },
  'rfc4475/bcast.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/bext01.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/bigcode.sip': {
    udp: { code: 'status-code', at: '4294967301 bette', status: 400 },
    frames: ['message'],
  },
  'rfc4475/clerr.sip': {
    udp: { code: 'body-short', header: 'content-length', at: '9999\r\n\r\nv=0\r\no=m', status: 400 },
    frames: [],
  },
  'rfc4475/cparam01.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/cparam02.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/dblreq.sip': { udp: 'accepted', frames: ['message', 'message', 'problem start-line 400'] },
  'rfc4475/esc01.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/esc02.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/escnull.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/escruri.sip': {
    udp: { code: 'request-uri-headers', at: 'sip:user@example', status: 400 },
    frames: ['message'],
  },
  'rfc4475/insuf.sip': {
    udp: { code: 'header-missing', header: 'from', at: '\r\nv=0\r\no=mhandle', status: 400 },
    frames: ['message'],
  },
  'rfc4475/intmeth.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/inv2543.sip': {
    udp: 'accepted',
    stream: {
      code: 'content-length-missing',
      header: 'content-length',
      at: '\r\nv=0\r\no=mhandle',
      status: 400,
    },
    frames: ['problem content-length-missing 400'],
  },
  'rfc4475/invut.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/longreq.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/ltgtruri.sip': {
    udp: { code: 'uri-scheme', at: '<sip:user@exampl', status: 400 },
    frames: ['message'],
  },
  'rfc4475/lwsdisp.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/lwsruri.sip': {
    udp: { code: 'start-line', at: ' lr SIP/2.0\r\nTo:', status: 400 },
    frames: ['message'],
  },
  'rfc4475/lwsstart.sip': {
    udp: { code: 'start-line', at: ' sip:user@exampl', status: 400 },
    frames: ['message'],
  },
  'rfc4475/mcl01.sip': {
    udp: { code: 'header-repeated', header: 'content-length', at: 'Content-Length: ', status: 400 },
    frames: ['problem header-repeated 400'],
  },
  'rfc4475/mismatch01.sip': {
    udp: { code: 'cseq-method', header: 'cseq', at: '8 INVITE\r\nVia: S', status: 400 },
    frames: ['message'],
  },
  'rfc4475/mismatch02.sip': {
    udp: { code: 'cseq-method', header: 'cseq', at: '8 INVITE\r\nContac', status: 501 },
    frames: ['message'],
  },
  'rfc4475/mpart01.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/multi01.sip': {
    udp: { code: 'header-repeated', header: 'from', at: 'From: sip:caller', status: 400 },
    frames: ['message'],
  },
  'rfc4475/ncl.sip': {
    udp: { code: 'number', header: 'content-length', at: '-999\r\n\r\nv=0\r\no=m', status: 400 },
    frames: ['problem number 400'],
  },
  'rfc4475/noreason.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/novelsc.sip': {
    udp: { code: 'request-uri-scheme', at: 'soap.beep://192.', status: 416 },
    frames: ['message'],
  },
  'rfc4475/quotbal.sip': {
    udp: { code: 'display-name', header: 'to', at: '\r\nFrom: sip:call', status: 400 },
    frames: ['message'],
  },
  'rfc4475/regaut01.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/regbadct.sip': { udp: 'accepted', frames: ['message'], reads: { contacts: 'addr-spec' } },
  'rfc4475/regescrt.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/scalar02.sip': {
    udp: { code: 'cseq', header: 'cseq', at: '3689348814741910', status: 400 },
    frames: ['message'],
  },
  'rfc4475/scalarlg.sip': {
    udp: { code: 'cseq', header: 'cseq', at: '9292394834772304', status: 400 },
    frames: ['message'],
  },
  'rfc4475/sdp01.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/semiuri.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/test.sip': {
    udp: { code: 'start-line', at: '\r\nTO : alan@jaso', status: 400 },
    frames: ['message'],
  },
  'rfc4475/transports.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/trws.sip': {
    udp: { code: 'start-line', at: 'SIP/2.0  \r\nVia: ', status: 400 },
    frames: ['message'],
  },
  'rfc4475/unkscm.sip': {
    udp: { code: 'request-uri-scheme', at: 'nobodyKnowsThisS', status: 416 },
    frames: ['message'],
  },
  'rfc4475/unksm2.sip': {
    udp: { code: 'to-scheme', header: 'to', at: 'isbn:2983792873\r', status: 400 },
    frames: ['message'],
  },
  'rfc4475/unreason.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/wsinv.sip': { udp: 'accepted', frames: ['message'] },
  'rfc4475/zeromf.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118/ipv4-mapped-ipv6.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118/ipv6-bad.sip': {
    udp: { code: 'uri-host', at: '2001:db8::10 SIP', status: 400 },
    frames: ['message'],
  },
  'rfc5118/ipv6-bug-abnf-3-colons.sip': { udp: 'accepted', frames: [] },
  'rfc5118/ipv6-correct-abnf-2-colons.sip': { udp: 'accepted', frames: [] },
  'rfc5118/ipv6-good.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118/ipv6-in-sdp.sip': {
    udp: { code: 'body-short', header: 'content-length', at: '268\r\n\r\nv=0\no=ass', status: 400 },
    frames: [],
  },
  'rfc5118/mult-ip-in-header.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118/mult-ip-in-sdp.sip': {
    udp: { code: 'body-short', header: 'content-length', at: '181\r\n\r\nv=0\no=bob', status: 400 },
    frames: [],
  },
  'rfc5118/port-ambiguous.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118/port-unambiguous.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118/via-received-param-no-delim.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118/via-received-param-with-delim.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118-crlf/ipv4-mapped-ipv6.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118-crlf/ipv6-bad.sip': {
    udp: { code: 'uri-host', at: '2001:db8::10 SIP', status: 400 },
    frames: ['message'],
  },
  'rfc5118-crlf/ipv6-bug-abnf-3-colons.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118-crlf/ipv6-correct-abnf-2-colons.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118-crlf/ipv6-good.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118-crlf/ipv6-in-sdp.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118-crlf/mult-ip-in-header.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118-crlf/mult-ip-in-sdp.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118-crlf/port-ambiguous.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118-crlf/port-unambiguous.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118-crlf/via-received-param-no-delim.sip': { udp: 'accepted', frames: ['message'] },
  'rfc5118-crlf/via-received-param-with-delim.sip': { udp: 'accepted', frames: ['message'] },
};
