import type { AnswerExpected, RegisterFields, ScenarioBinding } from './scenario.ts';
import { ScenarioSyntax } from './words.ts';
import type { WordReader } from './words.ts';

/** How short names are completed. */
export interface Names {
  readonly domain: string;
}

const ADDRESS = /[:<]/;
/** Fields that are header fields of the request, with the name they go by. */
const HEADER_FIELDS: Readonly<Record<string, string>> = {
  expires: 'Expires',
  require: 'Require',
  supported: 'Supported',
  path: 'Path',
  'user-agent': 'User-Agent',
  'record-route': 'Record-Route',
};

/** `to alice call-id c1 cseq 8 contact <sip:a@192.0.2.9> …` */
export function readRegisterFields(words: WordReader, names: Names, nextCseq: number): RegisterFields {
  const fields: Record<string, string> = {};
  const contacts: string[] = [];
  const headers: string[] = [];
  let cseq = nextCseq;
  let throughEdge = false;
  while (!words.done) {
    const field = words.next('a field');
    const header = HEADER_FIELDS[field];
    if (header !== undefined) headers.push(`${header}: ${words.next(field)}`);
    else if (field === 'contact') contacts.push(words.next(field));
    else if (field === 'cseq') cseq = words.number(field);
    else if (field === 'through') {
      words.expect('edge');
      throughEdge = true;
    } else if (field === 'header') headers.push(words.next(field));
    else if (PLAIN_FIELDS.has(field)) fields[field] = words.next(field);
    else throw new ScenarioSyntax(words.line, `"${field}" is no field of a REGISTER`);
  }
  const to = fields['to'] ?? 'alice';
  const identity = fields['identity'] ?? (ADDRESS.test(to) ? 'alice' : to);
  return {
    uri: fields['uri'] ?? `sip:${names.domain}`,
    to: address(to, names),
    from: address(fields['from'] ?? to, names),
    identity: identity === 'nobody' ? undefined : aorOf(identity, names),
    callId: fields['call-id'] ?? 'c1',
    cseq,
    contacts,
    headers,
    throughEdge,
  };
}

const PLAIN_FIELDS: ReadonlySet<string> = new Set(['to', 'from', 'identity', 'uri', 'call-id']);

const aorOf = (name: string, names: Names): string =>
  name.includes(':') ? name : `sip:${name}@${names.domain}`;
const address = (name: string, names: Names): string =>
  name.includes('<') ? name : `<${ADDRESS.test(name) ? name : aorOf(name, names)}>`;

/** `200 contacts 2 contact <sip:a@192.0.2.1>;expires=3600 date present`, `refused stale-cseq`. */
export function readAnswer(words: WordReader): AnswerExpected {
  const first = words.next('a status');
  const status = first === 'refused' ? { refused: words.next('a refusal') } : Number(first);
  if (typeof status === 'number' && !(status >= 100 && status < 700)) {
    throw new ScenarioSyntax(words.line, `"${first}" is no status`);
  }
  const contacts: string[] = [];
  const headers: { name: string; value: string }[] = [];
  let count: number | undefined;
  while (!words.done) {
    const name = words.next('a field');
    if (name === 'contact') contacts.push(words.next(name));
    else if (name === 'contacts') count = words.number(name);
    else headers.push({ name, value: words.next(name) });
  }
  return { status, contacts, headers, ...(count === undefined ? {} : { count }) };
}

/** `<sip:a@192.0.2.1> expires +3600 call-id c1 cseq 9`; undefined for `nothing`. */
export function readBinding(words: WordReader): ScenarioBinding | undefined {
  const contact = words.next('a contact');
  if (contact === 'nothing') return undefined;
  if (!contact.startsWith('<') || !contact.endsWith('>')) {
    throw new ScenarioSyntax(words.line, 'a contact stands between < and >');
  }
  const binding: { contact: string; expires?: number; callId?: string; cseq?: number } = {
    contact: contact.slice(1, -1),
  };
  while (!words.done) {
    const field = words.next('a field');
    if (field === 'expires') binding.expires = words.number(field);
    else if (field === 'cseq') binding.cseq = words.number(field);
    else if (field === 'call-id') binding.callId = words.next(field);
    else throw new ScenarioSyntax(words.line, `"${field}" is no field of a binding`);
  }
  return binding;
}
