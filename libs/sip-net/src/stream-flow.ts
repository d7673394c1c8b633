import type { Socket } from 'node:net';
import type { ParseProblem } from '@rollcall/sip';
import type { Endpoint, Flow, TransportName } from '@rollcall/sip-transaction';
import {
  FramedSocket,
  type FramedSocketLimits,
  type FramedSocketUser,
  type StreamEnd,
} from './framed-socket.ts';
import type { TimerWheel } from './timer-wheel.ts';

export interface StreamFlowOwner {
  onMessage(raw: string, flow: StreamFlow): void;
  onPing(flow: StreamFlow): void;
  onFramingProblem(problem: ParseProblem, head: string, flow: StreamFlow): void;
  onEnd(flow: StreamFlow, reason: StreamEnd): void;
}

/** What wants to know that a flow has died: the client transactions on it. */
export interface FlowDependant {
  onFlowClosed(): void;
}

/** What a stream flow is called, and where its ends are. */
export type FlowNames = Pick<Flow, 'id' | 'transport' | 'remote' | 'local' | 'advertised'>;

/** A connection as a flow. Its id is the connection number, so that it is never used twice in one process. */
export class StreamFlow implements Flow, FramedSocketUser {
  readonly reliable = true;
  readonly id: string;
  readonly transport: TransportName;
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly advertised: Endpoint;
  /** Client transactions in progress on this flow. */
  readonly dependants = new Set<FlowDependant>();
  readonly #framed: FramedSocket;
  readonly #owner: StreamFlowOwner;

  constructor(
    names: FlowNames,
    socket: Socket,
    limits: FramedSocketLimits,
    wheel: TimerWheel,
    now: () => number,
    owner: StreamFlowOwner,
  ) {
    this.id = names.id;
    this.transport = names.transport;
    this.remote = names.remote;
    this.local = names.local;
    this.advertised = names.advertised;
    this.#owner = owner;
    this.#framed = new FramedSocket(socket, limits, wheel, now, this);
  }

  get open(): boolean {
    return this.#framed.open;
  }

  awaitFirstByte(): void {
    this.#framed.awaitFirstByte();
  }

  send(message: string): boolean {
    return this.#framed.write(message);
  }

  close(): void {
    this.#framed.close();
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
    const dependants = [...this.dependants];
    this.dependants.clear();
    for (const dependant of dependants) dependant.onFlowClosed();
  }
}
