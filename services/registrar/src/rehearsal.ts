import type { ClosedStage } from '@rollcall/config';
import type {
  createInnerLink,
  createInnerServer,
  InnerLink,
  InnerServer,
  staticReplicas,
} from '@rollcall/sip-net';
import type { SipRequest } from '@rollcall/sip';

/** What the composition makes for a rehearsal as it makes it for life. */
export interface StageParts {
  /** Handles a request as in life, on a store that is none. */
  readonly onRequest: (request: SipRequest, reply: (message: string) => void) => void;
  readonly make: {
    readonly server: typeof createInnerServer;
    readonly link: typeof createInnerLink;
    readonly replicas: typeof staticReplicas;
  };
  readonly token: () => string;
  /** Called at the end, whatever came of it. */
  readonly close: () => Promise<void>;
}

/** RFC 2606 §2: nobody is there, whatever leaks. */
export const REHEARSAL_DOMAIN = 'rehearsal.invalid';

const HOST = '127.0.0.1';
const TIMEOUT_MS = 5_000;
const MAX_PENDING = 1_000;
/** A device comes back far more often than it comes anew. */
const REFRESHES = 4;
const EXPIRES_S = 3_600;

/** An inner server and, as the edge would be, a link to it; both end in this process. */
export class RegistrarStage implements ClosedStage {
  readonly #parts: StageParts;
  #server: InnerServer | undefined;
  #link: InnerLink | undefined;

  constructor(parts: StageParts) {
    this.#parts = parts;
  }

  async open(): Promise<void> {
    const { onRequest, make } = this.#parts;
    this.#server = await make.server({ host: HOST, port: 0, onRequest });
    this.#link = make.link({
      replicas: make.replicas([{ host: HOST, port: this.#server.port }]),
      timeoutMs: TIMEOUT_MS,
      maxPending: MAX_PENDING,
      reading: 'top',
    });
    await this.#link.start();
  }

  /** Two devices of one user: both register, refresh, and one goes. */
  async play(lane: number): Promise<number> {
    const { token } = this.#parts;
    const devices = [newDevice(lane, 1, token()), newDevice(lane, 2, token())];
    for (let n = 0; n <= REFRESHES; n += 1)
      for (const device of devices) await this.#register(device, EXPIRES_S);
    for (const device of devices) await this.#register(device, 0);
    return devices.length * (REFRESHES + 2);
  }

  async close(): Promise<void> {
    this.#link?.close();
    await this.#server?.close();
    await this.#parts.close();
  }

  #register(device: Device, expires: number): Promise<void> {
    const branch = `z9hG4bK${this.#parts.token()}`;
    device.cseq += 1;
    return new Promise((resolve, reject) => {
      this.#link?.request(device.aor, branch, writeRegister(device, branch, expires), (outcome) => {
        if (outcome.kind === 'response' && outcome.status === 200) resolve();
        else reject(new Error(outcome.kind === 'response' ? String(outcome.status) : outcome.kind));
      });
    });
  }
}

interface Device {
  readonly aor: string;
  readonly user: string;
  readonly contact: string;
  readonly path: string;
  readonly callId: string;
  cseq: number;
}

/** Devices of a lane are of a user of its own, behind an address of their own. */
function newDevice(lane: number, number: number, callId: string): Device {
  const user = `rehearsal-${String(lane)}`;
  const port = String(5_060 + number);
  return {
    aor: `sip:${user}@${REHEARSAL_DOMAIN}`,
    user,
    contact: `sip:${user}@192.0.2.${String(lane % 250)}:${port}`,
    path: `sip:${callId}${callId}@192.0.2.251:5060;lr;ob`,
    callId,
    cseq: 0,
  };
}

/** A REGISTER as an edge hands it on. */
function writeRegister(
  { aor, contact, path, callId, cseq }: Device,
  branch: string,
  expires: number,
): string {
  return (
    `REGISTER sip:${REHEARSAL_DOMAIN} SIP/2.0\r\n` +
    `Via: SIP/2.0/TCP 127.0.0.1:5070;branch=${branch}\r\n` +
    `Path: <${path}>\r\n` +
    `P-Asserted-Identity: <${aor}>\r\n` +
    `Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK${callId};received=192.0.2.1;rport=5062\r\n` +
    `Max-Forwards: 69\r\nFrom: <${aor}>;tag=${callId}\r\nTo: <${aor}>\r\n` +
    `Call-ID: ${callId}\r\nCSeq: ${String(cseq)} REGISTER\r\n` +
    `Contact: <${contact}>;expires=${String(expires)}\r\n` +
    'User-Agent: Rollcall rehearsal\r\nContent-Length: 0\r\n\r\n'
  );
}
