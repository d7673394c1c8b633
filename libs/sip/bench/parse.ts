/**
 * Speed of the parser on the messages of one registration.
 *
 *   node --import tsx --conditions=@rollcall/source libs/sip/bench/parse.ts [seconds per row] [one row]
 *
 * Prints messages per second and microseconds for each row, the best of many short rounds; `read` is the row of the requirement: a REGISTER of about
 * 800 octets with Via, To, From, Call-ID, CSeq, Contact and Authorization all read typed.
 */
import { StreamFramer, checkRequest, edit, parseMessage, respond } from '../src/index.ts';
import type { SipRequest } from '../src/index.ts';

/** Every message is another string, as on the wire: nothing is remembered from one to the next. */
const VARIANTS = 64;

function register(n: number): string {
  const call = (0x10000000 + n * 7919).toString(16);
  return [
    'REGISTER sip:example.test;transport=udp SIP/2.0',
    `Via: SIP/2.0/UDP 192.0.2.17:5060;branch=z9hG4bK${call}6b1f;rport`,
    'Max-Forwards: 70',
    `From: "Alice Example" <sip:u${String(n).padStart(5, '0')}@example.test>;tag=${call}`,
    `To: "Alice Example" <sip:u${String(n).padStart(5, '0')}@example.test>`,
    `Call-ID: ${call}-64b8-483c-a561-b41e9506b93c`,
    `CSeq: ${String(n + 1)} REGISTER`,
    'User-Agent: Example Phone 7.0.1',
    `Contact: <sip:u${String(n).padStart(5, '0')}@192.0.2.17:5060;transport=udp;ob>;expires=3600;+sip.instance="<urn:uuid:1482e161-e694-007a-9fc1-0458185bff01>"`,
    `Authorization: Digest username="u${String(n).padStart(5, '0')}", realm="example.test", nonce="${call}be611567b29eccb70da09e7d5e475342", uri="sip:example.test;transport=udp", response="3822388840bdc09d7b17f9e3110cf8b6", algorithm=MD5, cnonce="t4n9j257f9eq", qop=auth, nc=00000001`,
    'Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, MESSAGE',
    'Supported: path, outbound, gruu',
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}

const buffers = Array.from({ length: VARIANTS }, (_, n) => Buffer.from(register(n), 'latin1'));
const size = (buffers[0] ?? Buffer.alloc(0)).length;

function parsed(raw: string): SipRequest {
  const result = parseMessage(raw);
  if (!result.ok || result.value.kind !== 'request') throw new Error('the bench message is broken');
  return result.value;
}

let sink = 0;
const use = (outcome: { readonly ok: boolean }): void => {
  sink += outcome.ok ? 1 : 0;
};

function readAll(request: SipRequest): void {
  use(request.topVia());
  use(request.from());
  use(request.to());
  use(request.callId());
  use(request.cseq());
  use(request.contacts());
  use(request.authorization());
  use(request.maxForwards());
}

const CHANGES = {
  prepend:
    'Via: SIP/2.0/TCP 10.0.0.7:5090;branch=z9hG4bKinner0001\r\nPath: <sip:e1~abc~u0-c0000211-5060~0123456789@192.0.2.1:5060;lr;ob>\r\n' +
    'P-Asserted-Identity: <sip:u00001@example.test>\r\n',
  topVia: 'SIP/2.0/UDP 192.0.2.17:5060;branch=z9hG4bK100000006b1f;rport=5060;received=192.0.2.17',
  remove: ['p-asserted-identity', 'authorization', 'path', 'traceparent', 'route'],
  maxForwards: 69,
} as const;

const rows: readonly (readonly [string, (raw: string) => void])[] = [
  ['index', (raw) => void (sink += parsed(raw).index.count)],
  ['check', (raw) => void (sink += checkRequest(parsed(raw), { stream: false }) === undefined ? 1 : 0)],
  [
    'read',
    (raw) => {
      readAll(parsed(raw));
    },
  ],
  [
    'check+read',
    (raw) => {
      const request = parsed(raw);
      checkRequest(request, { stream: false });
      readAll(request);
    },
  ],
  [
    'edge challenge',
    (raw) => {
      const request = parsed(raw);
      checkRequest(request, { stream: false });
      readAll(request);
      sink += Buffer.byteLength(
        respond(request, 401, {
          toTag: 'abcdef0123456789',
          headers: 'WWW-Authenticate: Digest realm="example.test"\r\n',
        }),
        'latin1',
      );
    },
  ],
  [
    'edge forward',
    (raw) => {
      const request = parsed(raw);
      checkRequest(request, { stream: false });
      readAll(request);
      sink += Buffer.byteLength(edit(request, CHANGES), 'latin1');
    },
  ],
  [
    'frame',
    (raw) => void (sink += new StreamFramer({ maxHeaderBytes: 65536, maxBodyBytes: 65536 }).push(raw).length),
  ],
];

const seconds = Number(process.argv[2] ?? '2');
const only = process.argv[3];
/** Passes over all the messages in one round. */
const PASSES = 16;
const clock = (): number => Number(process.hrtime.bigint()) / 1e9;

/**
 * Messages per second in the best of many short rounds: what one core does while nobody else has it. On a machine that is
 * shared the mean says more about the others.
 */
function run(step: (raw: string) => void, duration: number): number {
  const end = clock() + duration;
  let least = Infinity;
  for (let start = clock(); start < end;) {
    for (let pass = 0; pass < PASSES; pass += 1)
      for (const buffer of buffers) step(buffer.toString('latin1'));
    const now = clock();
    least = Math.min(least, now - start);
    start = now;
  }
  return (PASSES * buffers.length) / least;
}

console.log(`one REGISTER: ${String(size)} octets; node ${process.version}`);
for (const [name, step] of [['copy', (raw: string) => void (sink += raw.length)] as const, ...rows]) {
  if (only !== undefined && only !== name) continue;
  run(step, seconds / 2);
  const rate = run(step, seconds);
  console.log(
    `${name.padEnd(16)} ${rate.toFixed(0).padStart(10)} messages/s  ${(1e6 / rate).toFixed(2).padStart(7)} µs`,
  );
}
if (sink === 0) throw new Error('nothing was measured');
