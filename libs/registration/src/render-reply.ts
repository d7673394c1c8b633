import type { EpochMs } from '@rollcall/kernel';
import type { Aor, Binding, Gruus, Policy } from '@rollcall/location';
import { respond } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import { hashName } from './binding-id.ts';
import { refusalRow } from './refusals.ts';
import type { Refusal } from './refusals.ts';

const MS_PER_SECOND = 1000;
/** q is kept in thousandths (RFC 3261 §25.1: at most three digits behind the point). */
const Q_ONE = 1000;

/** What the phone is told of a REGISTER that was carried out. */
export interface Accepted {
  /** Every binding that lives. */
  readonly bindings: readonly Binding[];
  /** RFC 5626 was applied: `Require: outbound`. */
  readonly outbound: boolean;
  /** Values of Feature-Caps (RFC 8599 §5.4). */
  readonly pushServices: readonly string[];
}

/** What else the answer depends on. */
export interface ReplyTerms {
  readonly aor: Aor;
  readonly policy: Policy;
  /** Present when the device asks for GRUUs and gets them (RFC 5627 §5.2). */
  readonly gruus: Gruus | undefined;
  /** Where the device is, as in `Binding.source`. */
  readonly source: string | undefined;
}

/**
 * The 200 to a REGISTER (RFC 3261 §10.3 step 8): every binding with the seconds that it has left and its GRUUs, Date, the Path that
 * came with the request (RFC 3327 §5.3), and Service-Route where there is one (RFC 3608 §6.3). Octet string.
 */
export function renderAccepted(
  request: SipRequest,
  accepted: Accepted,
  now: EpochMs,
  terms: ReplyTerms,
): string {
  const { policy } = terms;
  let headers = dateHeader(now);
  for (const binding of accepted.bindings) headers += contactHeader(binding, now, terms);
  if (request.has('path') && policy.path !== 'off') {
    for (const path of request.headers('path')) headers += `Path: ${path}\r\n`;
  }
  if (policy.serviceRoute !== undefined) {
    for (const route of policy.serviceRoute) headers += `Service-Route: ${route}\r\n`;
  }
  for (const caps of accepted.pushServices) headers += `Feature-Caps: ${caps}\r\n`;
  headers += accepted.outbound ? outboundHeaders(terms) : 'Supported: path\r\n';
  return respond(request, 200, { toTag: replyTag(request), headers });
}

/** RFC 5626 §4.4.2: NATs forget UDP flows after 30 s. */
const UDP_FLOW_TIMER = 29;

/** RFC 5626 §6, §5.4: the device keeps its flow alive at least as often as the Flow-Timer says. */
function outboundHeaders({ policy, source }: ReplyTerms): string {
  const timer =
    source?.startsWith('udp:') === true ? Math.min(UDP_FLOW_TIMER, policy.flowTimer) : policy.flowTimer;
  return `Supported: path, outbound\r\nRequire: outbound\r\nFlow-Timer: ${timer.toString()}\r\n`;
}

/** The answer that refuses a REGISTER. `retryAfter` in seconds, for refusals that say "later". */
export function renderRefusal(request: SipRequest, refusal: Refusal, retryAfter: number): string {
  const row = refusalRow(refusal.label);
  let headers = refusal.headers ?? '';
  if (row.later === true) headers += `Retry-After: ${retryAfter.toString()}\r\n`;
  const status = refusal.status ?? row.status;
  return status === row.status
    ? respond(request, status, { reason: row.phrase, toTag: replyTag(request), headers })
    : respond(request, status, { toTag: replyTag(request), headers });
}

function contactHeader(binding: Binding, now: EpochMs, { aor, gruus }: ReplyTerms): string {
  const q = binding.q === undefined ? '' : `;q=${qvalue(binding.q)}`;
  const given = gruus === undefined ? '' : gruuParams(binding, aor, gruus);
  return `Contact: <${binding.contact}>${binding.params}${q}${given};expires=${remaining(binding, now).toString()}\r\n`;
}

/** RFC 5627 §5.2; neither URI has a character that a quoted-string would escape. */
function gruuParams({ instance, gruu }: Binding, aor: Aor, gruus: Gruus): string {
  if (instance === undefined) return '';
  const temporary = gruu === undefined ? '' : `;temp-gruu="${gruus.temp(aor, instance, gruu.since)}"`;
  return `;pub-gruu="${gruus.pub(aor, instance)}"${temporary}`;
}

/** Whole seconds until the binding expires, a begun second counting: a live binding never shows 0, which means "removed". */
export const remaining = (binding: Pick<Binding, 'expiresAt'>, now: EpochMs): number =>
  Math.max(0, Math.ceil((binding.expiresAt - now) / MS_PER_SECOND));

function qvalue(thousandths: number): string {
  return thousandths >= Q_ONE ? '1' : (thousandths / Q_ONE).toString();
}

let dateSecond = NaN;
let dateLine = '';

/** `Date: Sat, 13 Nov 2010 23:29:00 GMT` (RFC 3261 §20.17), made once for each second. */
function dateHeader(now: EpochMs): string {
  const second = Math.floor(now / MS_PER_SECOND);
  if (second !== dateSecond) {
    dateSecond = second;
    dateLine = `Date: ${new Date(now).toUTCString()}\r\n`;
  }
  return dateLine;
}

/**
 * To-tag of our answers, a function of the request: an answer that is given again, on this replica or another, is the same
 * (RFC 3261 §8.2.7 asks that of a stateless server).
 */
function replyTag(request: SipRequest): string {
  const callId = request.callId();
  const cseq = request.cseq();
  return hashName(callId.ok ? callId.value : '', cseq.ok ? cseq.value.seq : 0);
}
