import type { SipRequest } from '@rollcall/sip';
import type { Flow, FrontUser, OnCancel, ServerTransaction } from '@rollcall/sip-transaction';
import type { ATTRIBUTES, Span, SPANS, Tracing } from '@rollcall/telemetry';

/** How spans and their attributes are called. */
export interface Words {
  readonly spans: typeof SPANS;
  readonly attributes: typeof ATTRIBUTES;
}

/** A server transaction whose span ends with its final answer. */
class TracedTransaction implements ServerTransaction {
  readonly request: SipRequest;
  readonly flow: Flow;

  constructor(
    private readonly transaction: ServerTransaction,
    private readonly span: Span,
    private readonly words: Words,
  ) {
    this.request = transaction.request;
    this.flow = transaction.flow;
  }

  get onCancel(): OnCancel {
    return this.transaction.onCancel ?? NOTHING;
  }

  set onCancel(act: OnCancel) {
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
    this.span.set({ [this.words.attributes.sipStatus]: status });
    this.span.end();
  }
}

const NOTHING = (): void => undefined;
/** Status-Line = SIP-Version SP Status-Code (RFC 3261 §7.2). */
const STATUS_AT = 'SIP/2.0 '.length;

/** Opens a span for each request of a phone; the user itself when nothing is traced. */
export function traced(user: FrontUser, tracing: Tracing, words: Words): FrontUser {
  if (!tracing.enabled) return user;
  return {
    onRequest(transaction) {
      const { request, flow } = transaction;
      const span = tracing.start(
        words.spans.edgeRequest,
        () => attributesOf(request, flow, words),
        undefined,
        'server',
      );
      span.within(() => {
        user.onRequest(span.recording ? new TracedTransaction(transaction, span, words) : transaction);
      });
    },
    onAck(request, flow) {
      user.onAck(request, flow);
    },
  };
}

export type InnerHandler = (request: SipRequest, reply: (message: string) => void) => void;

/** Opens a span for each request from inside, as a child of the one that caused it. */
export function tracedInner(handle: InnerHandler, tracing: Tracing, words: Words): InnerHandler {
  if (!tracing.enabled) return handle;
  const { attributes } = words;
  return (request, reply) => {
    const parent = request.header('traceparent');
    const span = tracing.start(
      words.spans.edgeDeliver,
      () => ({ [attributes.sipMethod]: request.method, [attributes.sipCallId]: request.header('call-id') }),
      parent,
      'server',
    );
    span.within(() => {
      handle(request, (message) => {
        const status = Number(message.slice(STATUS_AT, STATUS_AT + 3));
        reply(message);
        if (status < 200) return;
        span.set({ [attributes.sipStatus]: status });
        span.end();
      });
    });
    // An ACK has no answer.
    if (request.method === 'ACK') span.end();
  };
}

function attributesOf(
  request: SipRequest,
  flow: Flow,
  { attributes }: Words,
): Record<string, string | number | undefined> {
  return {
    [attributes.sipMethod]: request.method,
    [attributes.sipCallId]: request.header('call-id'),
    [attributes.networkTransport]: flow.transport,
    [attributes.networkPeerAddress]: flow.remote.address,
    [attributes.networkPeerPort]: flow.remote.port,
  };
}
