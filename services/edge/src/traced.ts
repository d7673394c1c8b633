import type { SipRequest } from '@rollcall/sip';
import type { Flow, FrontUser, ServerTransaction } from '@rollcall/sip-transaction';
import { ATTRIBUTES, SPANS } from '@rollcall/telemetry';
import type { Span, Tracing } from '@rollcall/telemetry';

/** A server transaction whose span ends with its final answer. */
class TracedTransaction implements ServerTransaction {
  readonly request: SipRequest;
  readonly flow: Flow;

  constructor(
    private readonly transaction: ServerTransaction,
    private readonly span: Span,
  ) {
    this.request = transaction.request;
    this.flow = transaction.flow;
  }

  get onCancel(): () => void {
    return this.transaction.onCancel ?? NOTHING;
  }

  set onCancel(act: () => void) {
    this.transaction.onCancel = act;
  }

  respond(status: number, message: string): void {
    this.transaction.respond(status, message);
    if (status >= 200) this.#end(status);
  }

  respondStateless(message: string): void {
    this.transaction.respondStateless(message);
    this.#end(Number(message.slice(STATUS_AT, STATUS_AT + 3)));
  }

  #end(status: number): void {
    this.span.set({ [ATTRIBUTES.sipStatus]: status });
    this.span.end();
  }
}

const NOTHING = (): void => undefined;
/** Status-Line = SIP-Version SP Status-Code (RFC 3261 §7.2). */
const STATUS_AT = 'SIP/2.0 '.length;

/** Opens a span for each request of a phone; the user itself when nothing is traced. */
export function traced(user: FrontUser, tracing: Tracing): FrontUser {
  if (!tracing.enabled) return user;
  return {
    onRequest(transaction) {
      const { request, flow } = transaction;
      const span = tracing.start(SPANS.edgeRequest, attributesOf(request, flow), undefined, 'server');
      span.within(() => { user.onRequest(new TracedTransaction(transaction, span)); });
    },
    onAck(request, flow) { user.onAck(request, flow); },
  };
}

export type InnerHandler = (request: SipRequest, reply: (message: string) => void) => void;

/** Opens a span for each request from inside, as a child of the one that caused it. */
export function tracedInner(handle: InnerHandler, tracing: Tracing): InnerHandler {
  if (!tracing.enabled) return handle;
  return (request, reply) => {
    const parent = request.header('traceparent');
    const span = tracing.start(SPANS.edgeDeliver, { [ATTRIBUTES.sipMethod]: request.method, [ATTRIBUTES.sipCallId]: request.header('call-id') }, parent, 'server');
    span.within(() => {
      handle(request, (message) => {
        const status = Number(message.slice(STATUS_AT, STATUS_AT + 3));
        reply(message);
        if (status < 200) return;
        span.set({ [ATTRIBUTES.sipStatus]: status });
        span.end();
      });
    });
    // An ACK has no answer.
    if (request.method === 'ACK') span.end();
  };
}

function attributesOf(request: SipRequest, flow: Flow): Record<string, string | number | undefined> {
  return {
    [ATTRIBUTES.sipMethod]: request.method,
    [ATTRIBUTES.sipCallId]: request.header('call-id'),
    [ATTRIBUTES.networkTransport]: flow.transport,
    [ATTRIBUTES.networkPeerAddress]: flow.remote.address,
    [ATTRIBUTES.networkPeerPort]: flow.remote.port,
  };
}
