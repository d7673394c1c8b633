import type { ParseProblem } from '@rollcall/sip';
import type { Endpoint, Flow, TransportName } from '@rollcall/sip-transaction';
import type { Channel, ChannelUser, StreamEnd } from './channel.ts';
import type { TapSlot } from './tap.ts';

export interface StreamFlowOwner {
  readonly tap: TapSlot;
  onMessage(raw: string, flow: StreamFlow): void;
  onPing(flow: StreamFlow): void;
  onFramingProblem(problem: ParseProblem, head: string, flow: StreamFlow): void;
  onEnd(flow: StreamFlow, reason: StreamEnd): void;
}

/** What wants to know that a flow has died: the client transactions on it. */
export interface FlowDependant {
  onFlowClosed(): void;
}

/** What a stream flow is called, where its ends are, and who the peer has proved to be. */
export interface FlowNames extends Pick<Flow, 'id' | 'transport' | 'remote' | 'local' | 'advertised'> {
  readonly certificateNames?: readonly string[] | undefined;
}

/** First characters of flow ids, by transport: what a flow was can be read off its name after it is gone. */
export const FLOW_LETTERS = { udp: 'u', tcp: 't', tls: 's', ws: 'w', wss: 'x' } as const satisfies Record<
  TransportName,
  string
>;

/** A connection as a flow. Its id is transport and connection number, so that it is never used twice in one process. */
export class StreamFlow implements Flow, ChannelUser {
  readonly reliable = true;
  readonly id: string;
  readonly transport: TransportName;
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly advertised: Endpoint;
  readonly certificateNames?: readonly string[];
  /** Under which the table finds it for `connect`; undefined for those that it does not. */
  readonly shareKey: string | undefined;
  /** RFC 5626 §4.4: within so many ms a keep-alive has been promised; undefined when none was. */
  keepAliveMs: number | undefined = undefined;
  /** When it was asked for a sign of life, ms; 0 when it was not. */
  pingedAt = 0;
  readonly #dependants = new Set<FlowDependant>();
  readonly #channel: Channel;
  readonly #owner: StreamFlowOwner;

  constructor(
    names: FlowNames,
    shareKey: string | undefined,
    owner: StreamFlowOwner,
    carry: (user: ChannelUser) => Channel,
  ) {
    this.id = names.id;
    this.transport = names.transport;
    this.remote = names.remote;
    this.local = names.local;
    this.advertised = names.advertised;
    if (names.certificateNames !== undefined) this.certificateNames = names.certificateNames;
    this.shareKey = shareKey;
    this.#owner = owner;
    this.#channel = carry(this);
  }

  get open(): boolean {
    return this.#channel.open;
  }

  get receivedAt(): number {
    return this.#channel.receivedAt;
  }

  /** Client transactions in progress on this flow. */
  get dependants(): Pick<Set<FlowDependant>, 'add' | 'delete'> {
    return this.#dependants;
  }

  awaitFirstByte(): void {
    this.#channel.awaitFirstByte();
  }

  expectKeepAlive(withinMs: number): void {
    this.keepAliveMs = withinMs;
  }

  send(message: string): boolean {
    this.#owner.tap.tap?.sent(message, this);
    return this.#channel.write(message);
  }

  ping(): boolean {
    return this.#channel.ping();
  }

  close(): void {
    this.#channel.close();
  }

  /** Ends the flow for a reason of its own. */
  end(reason: StreamEnd): void {
    this.#channel.close(reason);
  }

  onMessage(raw: string): void {
    this.#owner.onMessage(raw, this);
  }

  onPing(): void {
    this.#owner.onPing(this);
  }

  onFramingProblem(problem: ParseProblem, head: string): void {
    this.#owner.onFramingProblem(problem, head, this);
  }

  onEnd(reason: StreamEnd): void {
    this.#owner.onEnd(this, reason);
    const dependants = [...this.#dependants];
    this.#dependants.clear();
    for (const dependant of dependants) dependant.onFlowClosed();
  }
}
