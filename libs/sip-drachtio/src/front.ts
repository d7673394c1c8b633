/*
 * The drachtio engine: the edge's front on a drachtio-server. The server has sockets, transactions and dialogs; the edge's core keeps
 * routing, digest, flow tokens and forking, and does not know of the server. What lies between the two is here:
 *
 * - A request of the core becomes a request of the server's (`sip|||next hop`), with the server's Via. Its answers get back the Via,
 *   Call-ID and Record-Route that the core's request had.
 * - For calls the server is a peer of both phones: each phone has a dialog with it. A leg's Call-ID on the wire is another than the
 *   caller's, or the server would take the request for one in the caller's dialog. Requests in a dialog are put back to what the
 *   phone would have sent, by what `legs.ts` keeps.
 * - What is not in such a dialog goes out with its own Call-ID, tags and CSeq: so does a NOTIFY, whose dialog is a record in Redis.
 */
import { randomBytes } from 'node:crypto';
import { checkRequest, checkResponse, parseMessage, respond } from '@rollcall/sip';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import { reasonLines } from '@rollcall/sip-transaction';
import type {
  ClientTransaction,
  ClientTransactionUser,
  Endpoint,
  Flow,
  FrontUser,
  SipFront,
  TransportName,
} from '@rollcall/sip-transaction';
import type { DrachtioFront, DrachtioFrontOptions, DrachtioSizes } from './front-api.ts';
import { DrachtioFlow, Flows, readAddresses } from './flows.ts';
import { calledLeg, callerLeg, fromLeg, type Leg, Legs } from './legs.ts';
import { type Reply, ServerLink } from './link.ts';
import { type Answer, PhoneRequest } from './phone-request.ts';
import { asAnswerTo, cancelOf, forServer, octetsOf, textOf } from './text.ts';

/** Every method that the server delivers; others it answers or drops by itself. */
const VERBS = [
  'register',
  'subscribe',
  'publish',
  'invite',
  'message',
  'options',
  'info',
  'notify',
  'refer',
  'update',
  'bye',
  'prack',
];
/** The transaction id of what the server did by itself: a BYE when an ACK did not come, or a session expired. */
const UNSOLICITED = 'unsolicited';
const MAX_PENDING = 50_000;

/** The drachtio engine. Nothing happens before `start`, which does not wait for the server. */
export function createDrachtioFront(options: DrachtioFrontOptions): DrachtioFront {
  return new Front(options);
}

/** A request of the core at the server. */
interface Client {
  readonly request: SipRequest;
  readonly user: ClientTransactionUser;
  readonly flow: Flow;
  readonly wireCallId: string;
  /** INVITE that makes a dialog: what its answer becomes. */
  readonly makesLeg: boolean;
  /** BYE: the dialog that it ends. */
  readonly ends: Leg | undefined;
  transactionId: string;
  cancelled: boolean;
  cancelHeaders: string;
  over: boolean;
}

class Front implements DrachtioFront {
  readonly #options: DrachtioFrontOptions;
  readonly #link: ServerLink;
  readonly #flows: Flows;
  readonly #legs = new Legs();
  readonly #servers = new Map<string, PhoneRequest>();
  readonly #clients = new Map<string, Client>();
  #user: FrontUser | undefined;
  #counts = { requests: 0, malformed: 0, orphans: 0 };

  constructor(options: DrachtioFrontOptions) {
    this.#options = options;
    this.#flows = new Flows((message) => this.#sendWhole(message));
    this.#link = new ServerLink(
      { ...options, verbs: VERBS },
      {
        onUp: (outside, local) => {
          this.#flows.addresses = readAddresses(outside, local);
          options.onListeners(this.listeners);
        },
        onDown: () => {
          this.#forget();
        },
        onSip: (fields, message) => {
          try {
            this.#receive(fields, octetsOf(message));
          } catch (error) {
            // A bug of ours must cost one message, not the process.
            options.log.error({ err: error }, 'message handling threw');
          }
        },
      },
    );
  }

  get up(): boolean {
    return this.#link.up;
  }

  get counters(): DrachtioFront['counters'] {
    return { ...this.#counts, tooLarge: this.#link.tooLarge, losses: this.#link.losses };
  }

  get listeners(): SipFront['listeners'] {
    return this.#flows.addresses;
  }

  sizes(): DrachtioSizes {
    return {
      pending: this.#servers.size,
      clients: this.#clients.size,
      dialogs: this.#legs.size,
      frames: this.#link.waiting,
    };
  }

  start(user: FrontUser): Promise<void> {
    this.#user = user;
    this.#link.start();
    return Promise.resolve();
  }

  flow(id: string): Flow | undefined {
    return this.#flows.named(id);
  }

  connect(transport: TransportName, remote: Endpoint): Flow | undefined {
    return this.#flows.of(transport, remote);
  }

  owns(flow: Flow): flow is DrachtioFlow {
    return flow instanceof DrachtioFlow;
  }

  stopAccepting(): void {
    this.#link.unroute();
  }

  stop(): Promise<void> {
    this.#link.stop();
    this.#forget();
    return Promise.resolve();
  }

  request(
    flow: Flow,
    method: string,
    _branch: string,
    message: string,
    user: ClientTransactionUser,
  ): ClientTransaction {
    const parsed = parseMessage(message);
    if (!parsed.ok || parsed.value.kind !== 'request' || !this.owns(flow))
      throw new Error('not a request for this front');
    const request = parsed.value;
    this.#options.tap?.tap?.sent(message, flow);
    const leg = this.#legs.for(request);
    const makesLeg = method === 'INVITE' && leg === undefined;
    const client: Client = {
      request,
      user,
      flow,
      makesLeg,
      wireCallId: leg?.wireCallId ?? (makesLeg ? newCallId() : (request.header('call-id') ?? '')),
      ends: method === 'BYE' ? leg : undefined,
      transactionId: '',
      cancelled: false,
      cancelHeaders: '',
      over: false,
    };
    const text = forServer(request, leg !== undefined || makesLeg, client.wireCallId);
    const where = leg === undefined ? `sip|||${flow.uri}` : `sip||${leg.dialogId}`;
    this.#link.send(`${where}\r\n${text}`, (reply) => {
      this.#sent(client, reply);
    });
    return {
      cancel: (headers = '') => {
        if (client.cancelled || client.over || method !== 'INVITE') return;
        client.cancelled = true;
        client.cancelHeaders = headers;
        if (client.transactionId !== '') this.#cancel(client);
      },
    };
  }

  /** The server has sent a request, or says why not. */
  #sent(client: Client, reply: Reply): void {
    if (!reply.ok) {
      this.#fail(client, reply.lost ? 503 : reply.reason.startsWith('larger') ? 513 : 500);
      return;
    }
    client.transactionId = reply.fields[7] ?? '';
    this.#clients.set(client.transactionId, client);
    if (client.cancelled) this.#cancel(client);
  }

  /** An answer that no phone has given: the core goes on as with any other. */
  #fail(client: Client, status: number): void {
    if (client.over) return;
    client.over = true;
    this.#clients.delete(client.transactionId);
    const parsed = parseMessage(respond(client.request, status));
    // Asked from within `request`, the core has not got its transaction yet.
    queueMicrotask(() => {
      if (parsed.ok && parsed.value.kind === 'response') client.user.onResponse(parsed.value);
      else client.user.onFailure('transport');
    });
  }

  #cancel(client: Client): void {
    const text = cancelOf(client.request, client.wireCallId, client.cancelHeaders);
    this.#link.send(`sip|${client.transactionId}|\r\n${text}`, () => undefined);
  }

  #receive(fields: readonly string[], raw: string): void {
    const [, , source = '', , protocol = '', address = '', port = '', , transactionId = '', dialogId = ''] =
      fields;
    const parsed = parseMessage(raw);
    if (!parsed.ok) {
      this.#counts.malformed += 1;
      return;
    }
    const message = parsed.value;
    if (message.kind === 'response') {
      this.#answered(transactionId, dialogId, message);
      return;
    }
    this.#counts.requests += 1;
    if (message.method === 'CANCEL') {
      this.#servers.get(transactionId)?.cancelled(reasonLines(message));
      return;
    }
    const transport = (protocol === '' ? 'udp' : protocol) as TransportName;
    const flow = this.#flows.of(transport, { address, port: Number(port) });
    if (flow === undefined && source === 'network') return;
    this.#asked(message, flow, transactionId, dialogId);
  }

  /** A request of a phone, or one that the server has sent to a phone by itself. */
  #asked(message: SipRequest, flow: DrachtioFlow | undefined, transactionId: string, dialogId: string): void {
    const leg = dialogId === '' ? undefined : this.#legs.of(dialogId);
    const restored = leg === undefined ? message : reparsed(fromLeg(message, leg));
    const from = flow ?? this.#anyFlow();
    if (restored === undefined || from === undefined) return;
    this.#options.tap?.tap?.received(restored.raw, from);
    const problem = checkRequest(restored, { stream: false });
    if (restored.method === 'ACK') {
      if (problem === undefined) this.#user?.onAck(restored, from);
      return;
    }
    const server = new PhoneRequest(restored, from, transactionId, leg, this.#reply);
    if (problem !== undefined) {
      this.#counts.malformed += 1;
      server.respondStateless(respond(restored, problem.status));
      return;
    }
    if (this.#servers.size >= MAX_PENDING) {
      server.respondStateless(respond(restored, 503));
      return;
    }
    if (transactionId !== UNSOLICITED) this.#servers.set(transactionId, server);
    if (restored.method === 'BYE' && leg !== undefined) this.#legs.remove(leg);
    this.#user?.onRequest(server);
  }

  /** For what has no peer: the flow of the server itself. */
  #anyFlow(): DrachtioFlow | undefined {
    const [server] = this.#flows.addresses;
    return server === undefined ? undefined : this.#flows.of(server.transport, server.advertised);
  }

  #answered(transactionId: string, dialogId: string, response: SipResponse): void {
    const client = this.#clients.get(transactionId);
    if (client === undefined || checkResponse(response) !== undefined) {
      this.#counts.orphans += 1;
      return;
    }
    const final = response.status >= 200;
    if (final) {
      client.over = true;
      this.#clients.delete(transactionId);
      if (client.ends !== undefined) this.#legs.remove(client.ends);
    }
    if (response.status === 100) return;
    const restored = parseMessage(asAnswerTo(client.request, response));
    if (!restored.ok || restored.value.kind !== 'response') return;
    if (client.makesLeg && final && response.status < 300 && dialogId !== '') {
      this.#legs.add(calledLeg(client.request, restored.value, dialogId, client.wireCallId));
    }
    this.#options.tap?.tap?.received(restored.value.raw, client.flow);
    client.user.onResponse(restored.value);
  }

  /** The answer of the core to a phone's request. */
  readonly #reply: Answer = (server, status, message) => {
    const { request, transactionId } = server;
    if (status >= 200) this.#servers.delete(transactionId);
    // The server has said 100 to every INVITE, and cannot answer what it has done itself.
    if (status === 100 || transactionId === UNSOLICITED) return;
    const parsed = parseMessage(message);
    if (!parsed.ok || parsed.value.kind !== 'response') return;
    this.#options.tap?.tap?.sent(message, server.flow);
    const response = parsed.value;
    const inCall = request.method === 'INVITE';
    const makesLeg = inCall && status >= 200 && status < 300 && server.leg === undefined;
    const wireCallId = server.leg?.wireCallId;
    const text = forServer(response, inCall && status < 300, wireCallId);
    this.#link.send(`sip|${transactionId}|\r\n${text}`, (reply) => {
      if (reply.ok) {
        const dialogId = reply.fields[8] ?? '';
        if (makesLeg && dialogId !== '') this.#legs.add(callerLeg(request, response, dialogId));
      } else if (reply.reason.startsWith('larger')) {
        const short = parseMessage(respond(request, 513));
        if (short.ok && short.value.kind === 'response')
          this.#link.send(
            `sip|${transactionId}|\r\n${forServer(short.value, false, wireCallId)}`,
            () => undefined,
          );
      }
    });
  };

  /** A whole message of the core: the ACK to a 2xx, or a further 2xx of a forked INVITE. */
  #sendWhole(message: string): boolean {
    const parsed = parseMessage(message);
    if (!parsed.ok) return false;
    if (parsed.value.kind === 'response') {
      this.#endSecond(parsed.value);
      return true;
    }
    const leg = this.#legs.for(parsed.value);
    if (leg === undefined) return false;
    const text = forServer(parsed.value, true, leg.wireCallId);
    this.#link.send(`sip||${leg.dialogId}\r\n${text}`, () => undefined);
    return true;
  }

  /**
   * The caller of a forked INVITE has one dialog with the server, so a second 2xx cannot be handed on as RFC 3261 §16.7 step 5 wants: that
   * phone's call is acknowledged and ended here (§13.2.2.4).
   */
  #endSecond(response: SipResponse): void {
    const leg = this.#legs.answered(response);
    if (leg === undefined) return;
    this.#legs.remove(leg);
    for (const method of ['ACK', 'BYE']) {
      this.#link.send(
        `sip||${leg.dialogId}\r\n${method} sip:placeholder SIP/2.0\r\nCall-ID: ${textOf(leg.wireCallId)}\r\n\r\n`,
        () => undefined,
      );
    }
  }

  /** The server is gone, and with it everything that it had of ours. */
  #forget(): void {
    this.#servers.clear();
    this.#legs.clear();
    const clients = [...this.#clients.values()];
    this.#clients.clear();
    for (const client of clients) this.#fail(client, 503);
  }
}

function reparsed(raw: string): SipRequest | undefined {
  const parsed = parseMessage(raw);
  return parsed.ok && parsed.value.kind === 'request' ? parsed.value : undefined;
}

const CALL_ID_BYTES = 12;
const newCallId = (): string => randomBytes(CALL_ID_BYTES).toString('base64url');
