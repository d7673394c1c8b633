import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  checkRequest,
  checkResponse,
  edit,
  type FramerEvent,
  parseMessage,
  parseUri,
  respond,
  type SipRequest,
  type SipResponse,
  StreamFramer,
} from '../src/index.ts';
import { Mutator } from './mutate.ts';
import { fixture, fixturesIn, readTyped } from './wire.ts';

const FRAMER_LIMITS = { maxHeaderBytes: 8_192, maxBodyBytes: 4_096 };
/** Inputs that were worth keeping: together they reach every outcome that the fuzzer has found. */
const CORPUS = 'fuzz';
/** A run in CI; more by ROLLCALL_TEST_FUZZ_SECONDS, from a seed of its own each time. */
const RUNS = 20_000;
const SEED = 20_260_601;

const seconds = Number(process.env['ROLLCALL_TEST_FUZZ_SECONDS'] ?? 0);
const corpus = fixturesIn(CORPUS).map((file) => fixture(file));
const seeds = [
  ...['rfc4475', 'rfc5118', 'phones'].flatMap((folder) => fixturesIn(folder)).map(fixture),
  ...corpus,
];

/** `expect` costs more than what is tested here, thousands of times. */
function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** A datagram that ends in its head is read as if CRLFCRLF stood there; a place may lie in it. */
const ADDED = 4;

/** Everything that may be asked of a message; a reading that fails says where. */
function readAll(message: SipRequest | SipResponse): string {
  const failed: string[] = [];
  for (const [name, { ok, error }] of readTyped(message)) {
    if (ok || error === undefined) continue;
    must(error.at >= 0 && error.at <= message.raw.length, `${name} fails at ${String(error.at)}`);
    failed.push(name);
  }
  for (const name of ['require', 'supported', 'proxy-require'] as const) message.options(name);
  for (const line of message.lines) {
    must(line.start <= line.end, 'a line that ends before it begins');
    message.headers(line.name);
  }
  return failed.join(',');
}

/** What becomes of one datagram: asserts what must always hold, and names the outcome. */
function asDatagram(raw: string): string {
  const parsed = parseMessage(raw);
  if (!parsed.ok) {
    const { code, status, at, request } = parsed.error;
    // Line ends are put right first, which may make every line longer.
    must(status >= 400 && at <= 2 * raw.length + ADDED, `a problem ${String(status)} at ${String(at)}`);
    if (request?.has('via') === true) respond(request, status, { toTag: 'x' });
    return `refused ${code}`;
  }
  const message = parsed.value;
  const typed = readAll(message);
  const problem =
    message.kind === 'request' ? checkRequest(message, { stream: false }) : checkResponse(message);
  if (problem !== undefined) return `unsound ${problem.code} ${problem.header ?? ''}`;
  // What is sound is forwarded: the splice is a message again, with the same meaning.
  const spliced = parseMessage(edit(message, { prepend: 'Via: SIP/2.0/TCP h;branch=z9hG4bKf\r\n' }));
  if (!spliced.ok) throw new Error(`spliced to what does not parse: ${spliced.error.code}`);
  must(spliced.value.headers('via').length === message.headers('via').length + 1, 'not one Via more');
  must(spliced.value.header('call-id') === message.header('call-id'), 'another Call-ID');
  must(spliced.value.body === message.body, 'another body');
  if (message.kind === 'request') {
    const answer = parseMessage(respond(message, 486, { toTag: 'x' }));
    if (!answer.ok || answer.value.kind !== 'response') throw new Error('an answer that is none');
    must(checkResponse(answer.value) === undefined, 'an answer that is not sound');
    must(answer.value.headers('via').join() === message.headers('via').join(), 'another Via stack');
  }
  return `sound ${message.kind} ${typed.split(',')[0] ?? ''}`;
}

const told = (events: readonly FramerEvent[]): string =>
  events
    .map((event) =>
      event.kind === 'message' ? `m${event.raw}` : event.kind === 'problem' ? `p${event.problem.code}` : 'k',
    )
    .join('\u{1F4CE}');

function framed(pieces: readonly string[]): FramerEvent[] {
  const framer = new StreamFramer(FRAMER_LIMITS);
  const events: FramerEvent[] = [];
  for (const piece of pieces) {
    events.push(...framer.push(piece));
    must(framer.pending <= FRAMER_LIMITS.maxHeaderBytes + FRAMER_LIMITS.maxBodyBytes, 'too much is kept');
  }
  return events;
}

/** What becomes of the same octets on a stream, however they are cut. */
function asStream(raw: string, mutator: Mutator): string {
  const whole = framed([raw]);
  const cuts = [mutator.below(raw.length), mutator.below(raw.length), mutator.below(raw.length)].sort(
    (a, b) => a - b,
  );
  const pieces = [0, ...cuts].map((cut, i) => raw.slice(cut, cuts[i] ?? raw.length));
  must(told(framed(pieces)) === told(whole), `cut at ${cuts.join()} it is framed otherwise`);
  if (raw.length < 2_000 && mutator.below(8) === 0)
    must(told(framed(Array.from(raw))) === told(whole), 'octet by octet it is framed otherwise');
  let octets = 0;
  for (const event of whole) if (event.kind === 'message') octets += event.raw.length;
  must(octets <= raw.length, 'more octets than came');
  const last = whole.at(-1);
  return last?.kind === 'problem'
    ? `broken ${last.problem.code}`
    : `framed ${String(Math.min(3, whole.length))}`;
}

/** The two outcomes of an input. */
function check(raw: string, mutator: Mutator): readonly [string, string] {
  try {
    parseUri(raw.slice(0, 300));
    return [asDatagram(raw), asStream(raw, mutator)];
  } catch (error) {
    throw new Error(`${String(error)}\nfor ${JSON.stringify(raw)}`, { cause: error });
  }
}

/** A corpus is read by people too. */
const LONGEST_KEPT = 2_048;

/** Keeps an input as a file of the corpus. */
function keep(raw: string): void {
  const folder = fileURLToPath(new URL(`../fixtures/${CORPUS}/`, import.meta.url));
  mkdirSync(folder, { recursive: true });
  const name = createHash('sha256').update(raw, 'latin1').digest('hex').slice(0, 12);
  writeFileSync(`${folder}${name}.sip`, raw, 'latin1');
}

describe('K18 parser and framer under a fuzzer', () => {
  it('K18 the corpus: every input that ever was worth keeping', () => {
    const mutator = new Mutator(1);
    const outcomes = new Set(corpus.flatMap((raw) => check(raw, mutator)));
    expect(outcomes.size).toBeGreaterThan(50);
  });

  it('K18 mutations of it and of the torture messages and phones: nothing throws, nothing depends on the cuts', () => {
    const mutator = new Mutator(SEED);
    let slowest = 0;
    for (let run = 0; run < RUNS; run += 1) {
      const raw = mutator.mutate(seeds);
      const began = performance.now();
      check(raw, mutator);
      slowest = Math.max(slowest, performance.now() - began);
    }
    // Generous: what is not linear takes seconds for a message of 20,000 octets.
    expect(slowest).toBeLessThan(1_000);
  }, 60_000);

  const asked = seconds > 0 ? it : undefined;
  asked?.(
    'K18 for as long as is asked for; what reaches a new outcome joins the corpus',
    () => {
      const seed = Date.now() >>> 0;
      const mutator = new Mutator(seed);
      const known = new Set(seeds.flatMap((raw) => check(raw, mutator)));
      const inputs = [...seeds];
      const end = Date.now() + seconds * 1_000;
      let runs = 0;
      for (; Date.now() < end; runs += 1) {
        const raw = mutator.mutate(inputs);
        let outcomes: readonly string[];
        try {
          outcomes = check(raw, mutator);
        } catch (error) {
          keep(raw);
          throw error;
        }
        if (outcomes.every((outcome) => known.has(outcome)) || raw.length > LONGEST_KEPT) continue;
        for (const outcome of outcomes) known.add(outcome);
        inputs.push(raw);
        keep(raw);
      }
      process.stdout.write(`seed ${String(seed)}: ${String(runs)} inputs, ${String(known.size)} outcomes\n`);
    },
    seconds * 1_000 + 60_000,
  );
});
