import { connect } from 'node:net';
import { parseMessage, StreamFramer, type SipResponse } from '@rollcall/sip';

export interface InnerRegister {
  readonly aor: string;
  readonly contact: string;
  readonly expires: number;
  readonly callId: string;
  readonly cseq: number;
}

const LIMITS = { maxHeaderBytes: 65_536, maxBodyBytes: 65_536 };

function print({ aor, contact, expires, callId, cseq }: InnerRegister, branch: string): string {
  const domain = aor.slice(aor.indexOf('@') + 1);
  return (
    `REGISTER sip:${domain} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5060;branch=${branch}\r\n` +
    `Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKphone;received=192.0.2.1;rport=5060\r\nMax-Forwards: 69\r\n` +
    `From: <${aor}>;tag=t\r\nTo: <${aor}>\r\nCall-ID: ${callId}\r\nCSeq: ${cseq} REGISTER\r\n` +
    `Contact: <${contact}>;expires=${expires}\r\nP-Asserted-Identity: <${aor}>\r\nContent-Length: 0\r\n\r\n`
  );
}

/** Sends REGISTERs to a registrar's inner port as an edge would, all at once; gives the answers in the order of the requests. */
export function registerInside(port: number, registers: readonly InnerRegister[]): Promise<SipResponse[]> {
  return new Promise((resolve, reject) => {
    const answers = new Map<string, SipResponse>();
    const branch = (n: number): string => `z9hG4bKinside${port}x${n}`;
    const framer = new StreamFramer(LIMITS);
    const socket = connect({ host: '127.0.0.1', port });
    socket.setEncoding('latin1');
    socket.on('error', reject);
    socket.on('connect', () => {
      socket.write(registers.map((register, n) => print(register, branch(n))).join(''), 'latin1');
    });
    socket.on('data', (chunk: string) => {
      for (const event of framer.push(chunk)) {
        if (event.kind !== 'message') continue;
        const parsed = parseMessage(event.raw);
        if (!parsed.ok || parsed.value.kind !== 'response') continue;
        const name = /branch=([^;,\s]+)/.exec(parsed.value.header('via') ?? '')?.[1] ?? '';
        answers.set(name, parsed.value);
      }
      if (answers.size < registers.length) return;
      socket.destroy();
      resolve(registers.map((_, n) => answers.get(branch(n)) as SipResponse));
    });
    socket.on('close', () => {
      reject(new Error(`the registrar on port ${port} closed the connection`));
    });
  });
}
