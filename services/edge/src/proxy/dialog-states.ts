import { createHash, randomBytes } from 'node:crypto';
import { BoundedMap } from '@rollcall/kernel';
import type { TimerHandle, Timers } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import { parseMessage } from '@rollcall/sip';
import type { NameAddr, SipRequest } from '@rollcall/sip';
import type { OnCancel } from '@rollcall/sip-transaction';
import { newBranch } from '../hop.ts';
import type { InnerLink, InnerOutcome } from '../ports.ts';
import type { RefusalName } from '../refusals.ts';
import type { UpstreamObserver } from './call-proxy.ts';
import { printDialogInfo } from './dialog-info.ts';
import type { DialogSide, DialogState } from './dialog-info.ts';
import type { Origin } from './egress.ts';
import { isOutOfDialog } from './egress.ts';
import type { Upstream } from './upstream.ts';

export interface DialogStatesOptions {
  /** Calls that are followed at one time; past it the oldest is forgotten, and its publications expire. */
  readonly calls: number;
  /** Where inner services reach this edge, `host:port`. */
  readonly inner: string;
  /** True for a host whose users are ours: states of others are not for us to publish. */
  readonly isOurs: (host: string) => boolean;
}

export interface DialogCounters {
  published: number;
  /** Publications that presence refused, or that did not reach it. */
  failed: number;
}

/** RFC 3903 §4.1: how long a publication lives without a refresh, seconds; what a dead edge's calls are shown after it. */
const EXPIRES_S = 600;
const REFRESH_MS = (EXPIRES_S * 1_000) / 2;
const TICK_MS = 30_000;
/** A call of which nothing is heard for so long has ended somewhere else. */
const LONGEST_MS = 12 * 3_600_000;
const ID_CHARS = 16;
const TOKEN_OCTETS = 8;

/** The publication of one side of a call: one PUBLISH in flight, the newest state wins. */
class Publication {
  #etag: string | undefined;
  #sent: DialogState | undefined;
  #busy = false;
  /** The removal has been sent. */
  #over = false;
  readonly #callId = randomBytes(TOKEN_OCTETS).toString('hex');
  #cseq = 0;

  constructor(
    private side: DialogSide,
    private readonly presence: InnerLink,
    private readonly options: DialogStatesOptions,
    private readonly counters: DialogCounters,
  ) {}

  become(state: DialogState, tag: string | undefined): void {
    const { direction } = this.side;
    const tags =
      tag === undefined ? undefined : direction === 'recipient' ? { localTag: tag } : { remoteTag: tag };
    this.side = { ...this.side, ...tags, state };
    this.#push();
  }

  refresh(): void {
    this.#sent = undefined;
    this.#push();
  }

  #push(): void {
    const { state } = this.side;
    if (this.#busy || this.#over || this.#sent === state) return;
    if (state === 'terminated') {
      // What was never published needs no removal; a full document without the dialog says that it has ended (RFC 4235 §4.3).
      this.#over = true;
      if (this.#etag !== undefined) this.#send(state, 0, '');
      return;
    }
    this.#send(state, EXPIRES_S, printDialogInfo(this.side));
  }

  #send(state: DialogState, expires: number, body: string): void {
    const { entity } = this.side;
    const branch = newBranch();
    this.#cseq += 1;
    const match = this.#etag === undefined ? '' : `SIP-If-Match: ${this.#etag}\r\n`;
    const type = body === '' ? '' : 'Content-Type: application/dialog-info+xml\r\n';
    const message =
      `PUBLISH ${entity} SIP/2.0\r\nVia: SIP/2.0/TCP ${this.options.inner};branch=${branch}\r\nMax-Forwards: 70\r\n` +
      `From: <${entity}>;tag=${this.#callId}\r\nTo: <${entity}>\r\nCall-ID: ${this.#callId}\r\nCSeq: ${String(this.#cseq)} PUBLISH\r\n` +
      `P-Asserted-Identity: <${entity}>\r\nEvent: dialog\r\nExpires: ${String(expires)}\r\n${match}${type}` +
      `Content-Length: ${String(body.length)}\r\n\r\n${body}`;
    this.#busy = true;
    this.counters.published += 1;
    this.presence.request(entity, branch, message, (outcome) => {
      this.#busy = false;
      this.#settle(outcome, state);
    });
  }

  #settle(outcome: InnerOutcome, state: DialogState): void {
    if (this.#over && state === 'terminated') return;
    if (outcome.kind === 'response' && outcome.status < 300) {
      this.#etag = headerOf(outcome.below, 'sip-etag') ?? this.#etag;
      this.#sent = state;
    } else {
      this.counters.failed += 1;
      // RFC 3903 §4.2: 412 means that there is nothing to modify any more. Anything else is tried again at the next change.
      const retry = outcome.kind === 'response' && outcome.status === 412 && this.#etag !== undefined;
      if (outcome.kind === 'response') this.#etag = undefined;
      this.#sent = retry ? undefined : state;
    }
    this.#push();
  }
}

/** A call that is followed. */
interface Call {
  readonly publications: readonly Publication[];
  readonly since: number;
  refreshedAt: number;
  state: DialogState;
}

/**
 * States of dialogs for watchers (RFC 4235, BLF), from the calls that this edge forks: one publication for each side that is a
 * user of ours. Presence composes them with what phones publish themselves.
 */
export class DialogStates implements UpstreamObserver {
  readonly counters: DialogCounters = { published: 0, failed: 0 };
  readonly #calls: BoundedMap<string, Call>;
  #timer: TimerHandle | undefined;

  constructor(
    private readonly presence: InnerLink,
    private readonly timers: Timers,
    private readonly now: () => number,
    private readonly options: DialogStatesOptions,
  ) {
    this.#calls = new BoundedMap(options.calls);
  }

  get size(): number {
    return this.#calls.size;
  }

  stop(): void {
    if (this.#timer !== undefined) this.timers.stop(this.#timer);
    this.#timer = undefined;
  }

  toAor(upstream: Upstream, aor: Aor): Upstream {
    const { request } = upstream;
    if (request.method !== 'INVITE' || !isOutOfDialog(request)) return upstream;
    const key = keysOf(request)?.[0];
    const sides = sidesOf(upstream, aor, this.options.isOurs);
    if (key === undefined || sides.length === 0) return upstream;
    const publications = sides.map(
      (side) => new Publication(side, this.presence, this.options, this.counters),
    );
    const now = this.now();
    this.#calls.set(key, { publications, since: now, refreshedAt: now, state: 'terminated' });
    this.#become(key, 'trying', undefined);
    this.#timer ??= this.timers.start(TICK_MS, () => {
      this.#tick();
    });
    return new WatchedUpstream(upstream, (status, tag) => {
      const state = status >= 300 ? 'terminated' : status >= 200 ? 'confirmed' : 'early';
      this.#become(key, state, tag);
    });
  }

  /** A BYE ends the dialog whatever it is answered (RFC 3261 §15.1.1). */
  inDialog(upstream: Upstream): Upstream {
    const { request } = upstream;
    if (request.method !== 'BYE' || this.#calls.size === 0) return upstream;
    for (const key of keysOf(request) ?? []) this.#become(key, 'terminated', undefined);
    return upstream;
  }

  #become(key: string, state: DialogState, tag: string | undefined): void {
    const call = this.#calls.peek(key);
    // A call that was answered stays so, whatever its other branches say later.
    if (call === undefined || call.state === state || (call.state === 'confirmed' && state !== 'terminated'))
      return;
    call.state = state;
    for (const publication of call.publications) publication.become(state, tag);
    if (state === 'terminated') this.#calls.delete(key);
  }

  #tick(): void {
    const now = this.now();
    for (const key of [...this.#calls.keys()]) {
      const call = this.#calls.peek(key);
      if (call === undefined) continue;
      if (now - call.since > LONGEST_MS) this.#become(key, 'terminated', undefined);
      else if (now - call.refreshedAt >= REFRESH_MS) {
        call.refreshedAt = now;
        for (const publication of call.publications) publication.refresh();
      }
    }
    this.#timer = undefined;
    if (this.#calls.size === 0) return;
    this.#timer = this.timers.start(TICK_MS, () => {
      this.#tick();
    });
  }
}

/** Sees the answers of an INVITE. */
class WatchedUpstream implements Upstream {
  readonly request: SipRequest;
  readonly origin: Origin;

  constructor(
    private readonly inner: Upstream,
    private readonly see: (status: number, tag: string | undefined) => void,
  ) {
    this.request = inner.request;
    this.origin = inner.origin;
  }

  respond(status: number, message: string): void {
    this.inner.respond(status, message);
    if (status > 100) this.see(status, tagOf(message));
  }

  refuse(name: RefusalName): void {
    this.inner.refuse(name);
    this.see(480, undefined);
  }

  fail(status: number, reason: string, headers?: string): void {
    this.inner.fail(status, reason, headers);
    this.see(status, undefined);
  }

  onCancel(act: OnCancel): void {
    this.inner.onCancel(act);
  }
}

/** The callee, and the caller when a user of ours has been proved. */
function sidesOf(
  { request, origin }: Upstream,
  callee: Aor,
  isOurs: (host: string) => boolean,
): DialogSide[] {
  const from = request.from();
  const callId = request.callId();
  if (!from.ok || !callId.ok) return [];
  const id = createHash('sha256')
    .update(`${callId.value}\0${from.value.tag ?? ''}`, 'latin1')
    .digest('base64url');
  const base = { callId: callId.value, id: id.slice(0, ID_CHARS), state: 'trying' as const };
  const privately = /(?:^|[;\s])(?:id|user|header)(?:$|[;\s])/i.test(request.header('privacy') ?? '');
  const sides: DialogSide[] = [
    {
      ...base,
      entity: callee,
      localTag: undefined,
      remoteTag: from.value.tag,
      direction: 'recipient',
      remote: privately ? ANONYMOUS : partyOf(from.value),
    },
  ];
  const [, caller, host] = /<(sip:[^@>]+@([^>;:]+))>/.exec(origin.identity) ?? [];
  if (caller !== undefined && caller !== callee && isOurs(host ?? ''))
    sides.push({
      ...base,
      entity: caller,
      localTag: from.value.tag,
      remoteTag: undefined,
      direction: 'initiator',
      remote: { uri: callee, display: undefined },
    });
  return sides;
}

/** RFC 3323 §4.1.1.3 */
const ANONYMOUS = { uri: 'sip:anonymous@anonymous.invalid', display: undefined };

const partyOf = (from: NameAddr): DialogSide['remote'] => ({ uri: from.uriText, display: from.display });

/** A dialog is found by its Call-ID with the tag of its caller, which stands in From or in To. */
function keysOf(request: SipRequest): string[] | undefined {
  const from = request.from();
  const to = request.to();
  const callId = request.callId();
  if (!from.ok || !to.ok || !callId.ok) return undefined;
  return [from.value.tag, to.value.tag]
    .filter((tag) => tag !== undefined)
    .map((tag) => `${callId.value}\0${tag}`);
}

function tagOf(message: string): string | undefined {
  const parsed = parseMessage(message);
  const to = parsed.ok ? parsed.value.to() : undefined;
  return to?.ok === true ? to.value.tag : undefined;
}

function headerOf(message: string, name: string): string | undefined {
  const parsed = parseMessage(message);
  return parsed.ok ? parsed.value.header(name) : undefined;
}
