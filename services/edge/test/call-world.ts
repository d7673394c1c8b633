import { FlowTokens } from '@rollcall/location';
import type { Binding } from '@rollcall/location';
import type { CoreOptions } from '../src/core.ts';
import {
  ADVERTISED,
  authorization,
  binding,
  draft,
  EDGE,
  FakeStore,
  nonceOf,
  SECRET,
  settle,
  world,
} from './world.ts';
import type { Draft, FakeFlow, FakeTransaction, World } from './world.ts';

export const TOKENS = new FlowTokens(SECRET);
export const ALICE = '<sip:alice@example.test>';
export const BOB = 'sip:bob@example.test';
export const BOB_URN = '<urn:uuid:00000000-0000-1000-8000-000A95A0E128>';

export const tokenOf = (flow: string, edge = EDGE): string =>
  TOKENS.sign({ edge: edge.id, epoch: edge.epoch, flow });
export const uriOf = (token: string): string =>
  `<sip:${token}@${ADVERTISED.address}:${String(ADVERTISED.port)};lr>`;
/** Path of a binding; `transport` as the edge would write it. */
export const pathOf = (flow: string, edge = EDGE, transport = 'tcp'): string =>
  uriOf(tokenOf(flow, edge)).replace(';lr', `${transport === 'udp' ? '' : `;transport=${transport}`};lr;ob`);

/** A device of bob: the flow it is on, and what else is to be said of its binding. */
export interface Device extends Partial<Binding> {
  readonly flow: string;
  /** Not open. */
  readonly gone?: boolean;
}

/** An edge where alice may call and bob has these devices. */
export async function bobWith(
  devices: readonly Device[],
  options: Partial<CoreOptions> = {},
): Promise<World> {
  const store = new FakeStore();
  store.addUser('alice', 'secret');
  store.addUser('bob', 'secret');
  const edge = await world(options, store);
  edge.store.bindings.set(
    BOB,
    devices.map((device) => deviceBinding(edge, device)),
  );
  return edge;
}

export function deviceBinding(edge: World, { flow, gone, ...change }: Device): Binding {
  const udp = flow.startsWith('u');
  if (gone !== true) edge.front.open(flow, udp ? 'udp' : 'tcp', { address: '192.0.2.50', port: 40_000 });
  return binding(`sip:bob@10.0.0.1:5060;f=${flow}`, [pathOf(flow, EDGE, udp ? 'udp' : 'tcp')], change);
}

/** A request of alice, proved. */
export async function call(edge: World, change: Draft = {}, flow?: FakeFlow): Promise<FakeTransaction> {
  const method = change.method ?? 'INVITE';
  const uri = change.uri ?? BOB;
  const whole = { method, uri, to: `<${uri}>`, from: ALICE, ...change };
  const nonce = nonceOf(edge.send(draft(whole), flow).answer);
  const credentials = authorization({ nonce, method, uri, proxy: true });
  const transaction = edge.send(draft({ ...whole, headers: `${change.headers ?? ''}${credentials}` }), flow);
  await settle();
  return transaction;
}

export const statuses = (transaction: FakeTransaction): number[] =>
  transaction.answers.map(({ response }) => response.status);
export const flowsOf = (edge: World): string[] => edge.front.sent.map(({ flow }) => flow.id);

/** An edge where alice may call and bob has devices on these flows, each with its q. */
export const withBob = (...devices: [flow: string, q?: number][]): Promise<World> =>
  bobWith(devices.map(([flow, q]) => ({ flow, ...(q === undefined ? {} : { q }) })));
