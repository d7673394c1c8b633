import type { ClosedStage } from '@rollcall/config';
import { FlowTokens } from '@rollcall/location';
import type { Aor, FoundLease, User } from '@rollcall/location';
import { respond } from '@rollcall/sip';
import type {
  createInnerLink,
  createInnerServer,
  InnerLink,
  InnerServer,
  staticReplicas,
} from '@rollcall/sip-net';
import type { AdmissionDirectory } from './admission.ts';
import type { PresenceCore } from './core.ts';
import type { LeaseReader } from './edge-finder.ts';

/** What stands where users and edges are asked for. */
export interface Cast {
  readonly directory: AdmissionDirectory;
  readonly leases: LeaseReader;
}

/** What the composition makes for a rehearsal as it makes it for life. */
export interface StageParts {
  /** The core on a store that is none, `cast` beside it. */
  readonly core: (cast: Cast) => PresenceCore;
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
const DOMAIN = 'rehearsal.invalid';
const HOST = '127.0.0.1';
const EDGE = 'rehearsal';
const TIMEOUT_MS = 5_000;
const MAX_PENDING = 1_000;
/** Longer than any rehearsal. */
const LEASE_MS = 60_000;
/** As often as in life. */
const SETTLE_MS = 150;

/** Presence beside the one that serves: the same code, with an edge of its own that asks and answers. */
export class PresenceStage implements ClosedStage {
  readonly #parts: StageParts;
  readonly #servers: InnerServer[] = [];
  readonly #route: (flow: string) => string;
  #link: InnerLink | undefined;
  #core: PresenceCore | undefined;
  #settling: NodeJS.Timeout | undefined;

  constructor(parts: StageParts) {
    this.#parts = parts;
    const tokens = new FlowTokens(parts.token());
    this.#route = (flow) =>
      `<sip:${tokens.sign({ edge: EDGE, epoch: 1, flow })}@${HOST}:5060;transport=tcp;lr>`;
  }

  async open(): Promise<void> {
    const { make } = this.#parts;
    const phones = await this.#serve((request, reply) => {
      reply(respond(request, 200));
    });
    const lease = { id: EDGE, epoch: 1, inner: `${HOST}:${String(phones.port)}`, leftMs: LEASE_MS };
    const core = this.#parts.core(castOf(lease));
    this.#core = core;
    this.#settling = setInterval(() => void core.notifier.settleLate(), SETTLE_MS);
    const { port } = await this.#serve((request, reply) => {
      core.onRequest.handle(request, reply);
    });
    this.#link = make.link({
      replicas: make.replicas([{ host: HOST, port }]),
      ...{ timeoutMs: TIMEOUT_MS, maxPending: MAX_PENDING, reading: 'top' },
    });
    await this.#link.start();
  }

  /** Somebody watches, the watched publishes, changes it and takes it back, and the watcher goes. */
  async play(lane: number): Promise<number> {
    const { token } = this.#parts;
    const watched = `rehearsal-${String(lane)}`;
    const watch: Dialog = { user: `watcher-${String(lane)}`, to: watched, callId: token(), cseq: 0, tag: '' };
    const device: Dialog = { user: watched, to: watched, callId: token(), cseq: 0, tag: '' };
    const route = this.#route(`u0-7f000001-${String(10_000 + lane)}`);
    const dialog = `Record-Route: ${route}\r\nContact: <sip:${watch.user}@192.0.2.1:5060>\r\nAccept: application/pidf+xml\r\n`;
    const subscribed = await this.#send('SUBSCRIBE', watch, `${dialog}Expires: 600\r\n`);
    watch.tag = find(TO_TAG, subscribed);
    const typed = 'Content-Type: application/pidf+xml\r\n';
    const entity = `sip:${watched}@${DOMAIN}`;
    const published = await this.#send('PUBLISH', device, `Expires: 600\r\n${typed}`, pidf(entity, 'open'));
    const match = `SIP-If-Match: ${find(ETAG, published)}\r\n`;
    const changed = await this.#send(
      'PUBLISH',
      device,
      `Expires: 600\r\n${match}${typed}`,
      pidf(entity, 'closed'),
    );
    await this.#send('PUBLISH', device, `Expires: 0\r\nSIP-If-Match: ${find(ETAG, changed)}\r\n`);
    await this.#send('SUBSCRIBE', watch, `${dialog}Expires: 0\r\n`);
    return REQUESTS;
  }

  async close(): Promise<void> {
    clearInterval(this.#settling);
    this.#core?.poller.stop();
    this.#link?.close();
    await Promise.all(this.#servers.map((server) => server.close()));
    await this.#parts.close();
  }

  async #serve(onRequest: Parameters<typeof createInnerServer>[0]['onRequest']): Promise<InnerServer> {
    const server = await this.#parts.make.server({ host: HOST, port: 0, onRequest });
    this.#servers.push(server);
    return server;
  }

  /** The answer to a request as an edge hands it on. Rejects when it is refused. */
  #send(method: string, dialog: Dialog, lines: string, body = ''): Promise<string> {
    const branch = `z9hG4bK${this.#parts.token()}`;
    const message = writeRequest(method, dialog, branch, lines, body);
    return new Promise((resolve, reject) => {
      this.#link?.request(`sip:${dialog.to}@${DOMAIN}`, branch, message, (outcome) => {
        if (outcome.kind === 'response' && outcome.status === 200) resolve(outcome.below);
        else
          reject(
            new Error(`${outcome.kind === 'response' ? String(outcome.status) : outcome.kind} to ${method}`),
          );
      });
    });
  }
}

/** Requests of a scene. */
const REQUESTS = 5;
const TO_TAG = /^To:[^\r]*;tag=([^;\r]+)/im;
const ETAG = /^SIP-ETag: *([^\r]+)/im;
const find = (pattern: RegExp, text: string): string => pattern.exec(text)?.[1] ?? '';

interface Dialog {
  readonly user: string;
  readonly to: string;
  readonly callId: string;
  cseq: number;
  /** Of the other side, once there is a dialog. */
  tag: string;
}

function writeRequest(method: string, dialog: Dialog, branch: string, lines: string, body: string): string {
  const { user, to, callId, tag } = dialog;
  dialog.cseq += 1;
  const uri = tag === '' ? `sip:${to}@${DOMAIN}` : `sip:${tag}@${HOST}:5060;transport=tcp`;
  return (
    `${method} ${uri} SIP/2.0\r\nVia: SIP/2.0/TCP ${HOST}:5070;branch=${branch}\r\n` +
    `P-Asserted-Identity: <sip:${user}@${DOMAIN}>\r\n` +
    `Via: SIP/2.0/UDP 192.0.2.1:5060;branch=${branch}p;received=192.0.2.1;rport=5060\r\nMax-Forwards: 69\r\n` +
    `From: <sip:${user}@${DOMAIN}>;tag=${callId}\r\n` +
    `To: <sip:${to}@${DOMAIN}>${tag === '' ? '' : `;tag=${tag}`}\r\n` +
    `Call-ID: ${callId}\r\nCSeq: ${String(dialog.cseq)} ${method}\r\nEvent: presence\r\n${lines}` +
    `User-Agent: Rollcall rehearsal\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`
  );
}

const pidf = (entity: string, basic: string): string =>
  '<?xml version="1.0" encoding="UTF-8"?>\r\n' +
  `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${entity}">` +
  `<tuple id="t1"><status><basic>${basic}</basic></status></tuple></presence>`;

/** Any name is a user, and one edge lives. */
function castOf(lease: FoundLease): Cast {
  const never = (): (() => void) => () => undefined;
  return {
    directory: {
      find: (aor: Aor) => Promise.resolve<User>({ aor, authUser: '', realm: DOMAIN, ha1: {}, enabled: true }),
      onChange: never,
      domains: { list: () => Promise.resolve([{ name: DOMAIN }]), onChange: never },
      grants: { get: () => Promise.resolve([]) },
    },
    leases: { find: () => Promise.resolve(lease) },
  };
}
