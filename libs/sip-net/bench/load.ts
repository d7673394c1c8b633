/** Load for the benches: REGISTERs over one UDP socket with a fixed number outstanding. Runs in a process of its own. */
import { createSocket } from 'node:dgram';

const [port = 0, count = 0, outstanding = 64] = process.argv.slice(2).map(Number);
const ADDRESS = '127.0.0.1';

const socket = createSocket({
  type: 'udp4',
  recvBufferSize: 4 << 20,
  sendBufferSize: 4 << 20,
  lookup: (host, _options, callback) => {
    callback(null, host, 4);
  },
});

/** About 600 bytes, as a phone sends it. */
function register(n: number, local: number): string {
  const user = `u${String(n % 10_000).padStart(5, '0')}`;
  return (
    'REGISTER sip:example.test SIP/2.0\r\n' +
    `Via: SIP/2.0/UDP ${ADDRESS}:${String(local)};branch=z9hG4bK-bench-${String(n)};rport\r\n` +
    'Max-Forwards: 70\r\n' +
    `From: <sip:${user}@example.test>;tag=bench${String(n)}\r\n` +
    `To: <sip:${user}@example.test>\r\n` +
    `Call-ID: bench-${user}@client.example.test\r\n` +
    `CSeq: ${String(n + 1)} REGISTER\r\n` +
    `Contact: <sip:${user}@${ADDRESS}:${String(local)};transport=udp>;expires=3600\r\n` +
    `Authorization: Digest username="${user}", realm="example.test", nonce="bm9uY2Utbm9uY2Utbm9uY2Utbm9uY2U", ` +
    'uri="sip:example.test", response="6629fae49393a05397450978507c4ef1", algorithm=MD5, cnonce="0a4f113b", qop=auth, nc=00000001\r\n' +
    'User-Agent: bench\r\nContent-Length: 0\r\n\r\n'
  );
}

let sent = 0;
let answered = 0;
let started = 0;
let lastProgress = Date.now();

function next(): void {
  socket.send(Buffer.from(register(sent, socket.address().port), 'latin1'), port, ADDRESS);
  sent += 1;
}

socket.on('message', () => {
  answered += 1;
  lastProgress = Date.now();
  if (sent < count) next();
  if (answered === count) finish();
});

function finish(): void {
  const seconds = (Date.now() - started) / 1000;
  process.stdout.write(`${JSON.stringify({ answered, perSecond: Math.round(answered / seconds) })}\n`);
  process.exit(0);
}

socket.bind(0, ADDRESS, () => {
  started = Date.now();
  for (let i = 0; i < outstanding; i += 1) next();
});
// A datagram may be lost when the machine is busy; the run must end all the same.
setInterval(() => {
  if (Date.now() - lastProgress > 2000) finish();
}, 500);
