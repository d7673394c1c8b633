// Run by `helm test`: asks every /readyz in READY, and an edge at SIP (host:port) for an answer to OPTIONS over TCP.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

const TRIES = 30;
const PAUSE_MS = 2_000;

async function ready(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(3_000) });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status} ${text.trim()}`);
}

function options(address) {
  const at = address.lastIndexOf(':');
  const [host, port] = [address.slice(0, at), Number(address.slice(at + 1))];
  const token = randomBytes(8).toString('hex');
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => {
      socket.write(
        [
          `OPTIONS sip:${host}:${port};transport=tcp SIP/2.0`,
          `Via: SIP/2.0/TCP ${socket.localAddress}:${socket.localPort};branch=z9hG4bK${token}`,
          'Max-Forwards: 70',
          `From: <sip:helm-test@${host}>;tag=${token}`,
          `To: <sip:${host}>`,
          `Call-ID: ${token}`,
          'CSeq: 1 OPTIONS',
          'Content-Length: 0',
          '\r\n',
        ].join('\r\n'),
      );
    });
    socket.setTimeout(3_000, () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
    socket.once('data', (data) => {
      socket.destroy();
      const line = data.toString('latin1').split('\r\n', 1)[0];
      // Any answer of a server of ours will do: which names it answers to is the site's business.
      if (/^SIP\/2\.0 [2-4]\d\d /.test(line)) resolve();
      else reject(new Error(line));
    });
  });
}

async function eventually(what, check) {
  for (let turn = 1; ; turn += 1) {
    try {
      await check();
      console.log(`ok   ${what}`);
      return;
    } catch (error) {
      if (turn === TRIES) throw new Error(`${what}: ${error.message}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

const { READY = '', SIP = '' } = process.env;
for (const url of READY.split(/\s+/).filter((part) => part !== '')) await eventually(url, () => ready(url));
if (SIP !== '') await eventually(`OPTIONS ${SIP}`, () => options(SIP));
