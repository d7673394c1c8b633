import { displayText } from '@rollcall/sip';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import type { LifelineKind } from './model.ts';

/** What a note is made from. */
export interface NoteContext {
  readonly from: LifelineKind;
  readonly to: LifelineKind;
}

const quoted = (text: string | undefined): string => displayText((text ?? '').slice(0, 200));

/** The address of a From, To or Contact as people know it: without name, parameters and port. */
export function plainAddress(value: string | undefined): string {
  const text = value ?? '';
  const uri = /<([^>]*)>/.exec(text)?.[1] ?? text.split(/[;,]/, 1)[0] ?? '';
  return quoted(
    uri
      .replace(/^sips?:/i, '')
      .replace(/[;?].*$/, '')
      .trim(),
  );
}

function secondsAsked(request: SipRequest): string {
  const contacts = request.contacts();
  const first =
    contacts.ok && contacts.value.kind === 'list' ? contacts.value.contacts[0]?.expires : undefined;
  const header = request.header('expires');
  const wanted = first ?? (header === undefined ? undefined : Number(header));
  return wanted === undefined || Number.isNaN(wanted) ? '' : ` for ${String(wanted)} s`;
}

function credentialsOf(request: SipRequest): string | undefined {
  const header = request.header('authorization') ?? request.header('proxy-authorization');
  if (header === undefined) return undefined;
  const field = (name: string): string | undefined =>
    new RegExp(`\\b${name}\\s*=\\s*"?([^",\\s]+)`, 'i').exec(header)?.[1];
  const count = field('nc');
  const algorithm = field('algorithm') ?? 'MD5';
  return `as ${quoted(field('username'))} with ${quoted(algorithm)}${count === undefined ? '' : `, use ${String(Number.parseInt(count, 16))} of this nonce`}`;
}

function registerNote(request: SipRequest): string {
  const who = plainAddress(request.header('to'));
  const contacts = request.contacts();
  if (!contacts.ok || contacts.value.kind === 'none') return `asks which devices ${who} has`;
  if (contacts.value.kind === 'wildcard') return `takes every device of ${who} away`;
  const { contacts: list } = contacts.value;
  const where = list.map(({ uriText }) => quoted(uriText)).join(', ');
  const ends = list.every(({ expires }) => (expires ?? Number(request.header('expires') ?? 1)) === 0);
  return ends ? `takes ${where} away from ${who}` : `registers ${where} for ${who}${secondsAsked(request)}`;
}

const eventOf = (request: SipRequest): string => quoted((request.header('event') ?? '?').split(';', 1)[0]);

function subscribeNote(request: SipRequest): string {
  const what = `${eventOf(request)} of ${plainAddress(request.header('to'))}`;
  const inDialog = /;\s*tag=/i.test(request.header('to') ?? '');
  if (request.header('expires')?.trim() === '0')
    return inDialog ? `stops watching ${what}` : `asks once for ${what}`;
  return `${inDialog ? 'keeps watching' : 'wants to watch'} ${what}${secondsAsked(request)}`;
}

function notifyNote(request: SipRequest): string {
  const state = quoted(request.header('subscription-state'));
  const type = request.header('content-type');
  const body = request.body === '' ? 'without a body' : `with ${quoted(type)}`;
  return `tells the watcher the ${eventOf(request)} of ${plainAddress(request.header('from'))}: ${state}, ${body}`;
}

function publishNote(request: SipRequest): string {
  const what = `${eventOf(request)} of ${plainAddress(request.requestUri)}`;
  const etag = request.has('sip-if-match');
  if (request.header('expires')?.trim() === '0') return `withdraws the ${what}`;
  if (!etag) return `publishes ${what}`;
  return request.body === '' ? `keeps the published ${what} alive` : `changes the published ${what}`;
}

const ACTS: Readonly<Record<string, (request: SipRequest) => string>> = {
  REGISTER: registerNote,
  SUBSCRIBE: subscribeNote,
  NOTIFY: notifyNote,
  PUBLISH: publishNote,
  INVITE: (request) =>
    /;\s*tag=/i.test(request.header('to') ?? '')
      ? 'changes the call'
      : `calls ${plainAddress(request.requestUri)}`,
  ACK: () => 'confirms that it has the final answer',
  BYE: () => 'ends the call',
  CANCEL: () => 'gives up the call before it is answered',
  MESSAGE: (request) => `sends a text message to ${plainAddress(request.requestUri)}`,
  OPTIONS: () => 'asks what the other side can do, or whether it is alive',
};

const SUBJECT: Readonly<Record<LifelineKind, string>> = {
  phone: 'The phone',
  edge: 'The edge',
  registrar: 'The registrar',
  presence: 'Presence',
  store: 'Redis',
};

/** A request in plain words. */
export function requestNote(request: SipRequest, { from, to }: NoteContext): string {
  const act = (ACTS[request.method] ?? (() => `sends ${quoted(request.method)}`))(request);
  if (from === 'phone') {
    const proof = credentialsOf(request);
    const shown = proof === undefined ? '' : `. It answers the challenge ${proof}`;
    const none = ['REGISTER', 'SUBSCRIBE', 'PUBLISH'].includes(request.method) && proof === undefined;
    return `The phone ${act}${shown}${none ? '. It has sent no credentials yet' : ''}.`;
  }
  if (from === 'edge' && (to === 'registrar' || to === 'presence')) {
    const identity = plainAddress(request.header('p-asserted-identity'));
    const vouch = identity === '' ? '' : `, vouches for ${identity}`;
    const way =
      request.has('path') || request.has('record-route')
        ? ' and names the flow on which the phone is reached'
        : '';
    return `The edge hands the request on${vouch}${way}. The phone ${act}.`;
  }
  if (from === 'edge' && to === 'edge')
    return `The edge hands the request to the edge that has the device: ${act}.`;
  if (from === 'edge') return `The edge sends it on to the phone. It ${act}.`;
  return `${SUBJECT[from]} ${act}.`;
}

function bindingsNote(response: SipResponse): string {
  const contacts = response.contacts();
  if (!contacts.ok || contacts.value.kind !== 'list') return 'no device is registered now';
  const list = contacts.value.contacts.map(
    ({ uriText, expires }) => `${quoted(uriText)}${expires === undefined ? '' : ` (${String(expires)} s)`}`,
  );
  return `registered now: ${list.join(', ')}`;
}

/** A provisional or 2xx answer in plain words. */
export function acceptedNote(
  response: SipResponse,
  request: SipRequest | undefined,
  { from, to }: NoteContext,
): string {
  const method = request?.method ?? (response.header('cseq') ?? '').replace(/^\s*\d+\s+/, '');
  const passed = from === 'edge' && to === 'phone';
  const says = passed ? 'The edge answers the phone' : `${SUBJECT[from]} answers`;
  if (response.status === 100) return `${says}: it is being worked on.`;
  if (response.status < 200)
    return response.status === 180 ? 'The phone at the other end rings.' : `${says}: not decided yet.`;
  switch (method) {
    case 'REGISTER':
      return `${says}: accepted, ${bindingsNote(response)}.`;
    case 'SUBSCRIBE': {
      const expires = response.header('expires');
      return `${says}: subscribed${expires === undefined ? '' : ` for ${quoted(expires)} s`}; a NOTIFY with the state follows.`;
    }
    case 'PUBLISH':
      return `${says}: published under the tag ${quoted(response.header('sip-etag'))}${response.has('expires') ? ` for ${quoted(response.header('expires'))} s` : ''}.`;
    case 'NOTIFY':
      return from === 'phone'
        ? 'The watcher has taken the news.'
        : 'The answer of the watcher goes back to presence.';
    case 'INVITE':
      return 'The call is answered.';
    default:
      return `${says}: done.`;
  }
}

/** A 401 or 407 in plain words. */
export function challengeNote(response: SipResponse, request: SipRequest | undefined): string {
  const challenges = [...response.headers('www-authenticate'), ...response.headers('proxy-authenticate')];
  const algorithms = challenges.map((text) => /algorithm\s*=\s*"?([A-Za-z0-9-]+)/i.exec(text)?.[1] ?? 'MD5');
  const offered =
    algorithms.length === 0 ? '' : ` It may be answered with ${algorithms.map(quoted).join(', ')}.`;
  const answered = request?.has('authorization') === true || request?.has('proxy-authorization') === true;
  if (challenges.some((text) => /stale\s*=\s*"?true/i.test(text))) {
    return `The nonce was too old, or used before. The password was not judged: the phone answers again with the new nonce by itself.${offered}`;
  }
  return answered
    ? `The answer does not fit: the user is unknown or disabled, or the password is wrong (on purpose they look alike).${offered}`
    : `The edge wants proof of who asks first; this is the usual first half of a registration and no fault.${offered}`;
}

/** What a refusal carries beside its status, in plain words. */
export function refusalDetail(response: SipResponse): string {
  const parts: string[] = [];
  const add = (header: string, say: (value: string) => string): void => {
    const value = response.header(header);
    if (value !== undefined && value !== '') parts.push(say(quoted(value)));
  };
  add('min-expires', (value) => `At least ${value} s are wanted`);
  add('unsupported', (value) => `Not supported: ${value}`);
  add('allow-events', (value) => `Event packages here: ${value}`);
  add('accept', (value) => `Accepted here: ${value}`);
  add('retry-after', (value) => `The phone is asked to come back after ${value} s`);
  add('warning', (value) => `Warning: ${value.replace(/^\d{3}\s+\S+\s+/, '')}`);
  return parts.length === 0 ? '' : ` ${parts.join('. ')}.`;
}
