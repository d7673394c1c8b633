import { displayText, parseMessage } from '@rollcall/sip';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import type { TraceEntry } from '../entry.ts';
import { maskCredentials } from '../mask.ts';
import { readProbe } from '../probe.ts';
import type { ProbeReport } from '../probe.ts';
import { Lifelines } from './lifelines.ts';
import type { KnownEdge, Side } from './lifelines.ts';
import type { Ladder, LifelineKind, Step, StepRefusal } from './model.ts';
import { acceptedNote, challengeNote, refusalDetail, requestNote } from './notes.ts';
import { innerRule, REASONS } from './reasons.ts';

export interface LadderOptions {
  /** Edges that live, to know them by their inner address. */
  readonly edges?: readonly KnownEdge[];
}

/** A step under way: mutable only inside this module. */
type Draft = { -readonly [K in keyof Step]: Step[K] };

interface Asked {
  readonly step: Draft;
  readonly request: SipRequest;
}

/** Draws the exchanges of one or several edges, in whatever order they come. */
export function buildLadder(entries: readonly TraceEntry[], options: LadderOptions = {}): Ladder {
  const builder = new LadderBuilder(options.edges ?? [], entries);
  for (const entry of [...entries].sort((a, b) => a.at - b.at)) builder.add(entry);
  return builder.finish();
}

/** A message as people read it: line by line, control characters written out, credentials masked. */
export function displayMessage(octets: string): string {
  return maskCredentials(octets)
    .split(/\r?\n/)
    .map((line) => displayText(line))
    .join('\n');
}

class LadderBuilder {
  readonly #lifelines: Lifelines;
  readonly #steps: Draft[] = [];
  readonly #asked = new Map<string, Asked>();
  /** Refusals of inner services by exchange: the edge hands them on. */
  readonly #innerRefusals = new Map<string, StepRefusal>();
  readonly #seen = new Set<string>();
  /** Edges that have recorded a message, by its octets. */
  readonly #recorders = new Map<string, Set<string>>();
  /** What went to another edge: it has recorded it too. */
  readonly #betweenEdges = new Set<string>();

  constructor(edges: readonly KnownEdge[], entries: readonly TraceEntry[]) {
    this.#lifelines = new Lifelines(edges);
    for (const { octets, edge } of entries) {
      const recorders = this.#recorders.get(octets);
      if (recorders === undefined) this.#recorders.set(octets, new Set([edge]));
      else recorders.add(edge);
    }
  }

  add(entry: TraceEntry): void {
    const parsed = parseMessage(entry.octets);
    const message = parsed.ok ? parsed.value : undefined;
    const request = message?.kind === 'request' ? message : undefined;
    const mirror = [...(this.#recorders.get(entry.octets) ?? [])].find((other) => other !== entry.edge);
    const remote = this.#lifelines.remote(entry, request, mirror);
    if (remote.kind === 'edge') {
      // What one edge sent to another has been recorded by both.
      if (entry.direction === 'in' && this.#betweenEdges.has(entry.octets)) return;
      if (entry.direction === 'out') this.#betweenEdges.add(entry.octets);
    }
    const edge = this.#lifelines.edge(entry);
    const [from, to] = entry.direction === 'in' ? [remote, edge] : [edge, remote];
    const step: Draft = {
      at: entry.at,
      from: from.id,
      to: to.id,
      kind: message?.kind ?? 'request',
      label: message === undefined ? 'not SIP' : labelOf(message),
      tone: 'plain',
      note: 'This could not be read as a SIP message.',
      transport: entry.transport,
      size: entry.octets.length,
      message: displayMessage(entry.octets),
    };
    const way = wayKey(from.id, entry);
    if (this.#seen.has(way)) step.repeated = true;
    this.#seen.add(way);
    if (message !== undefined) this.#describe(step, message, entry, { from, to });
    if (step.repeated) step.note = `Sent again: the answer was late or lost. ${step.note}`;
    this.#steps.push(step);
  }

  finish(): Ladder {
    const steps = this.#steps.sort((a, b) => a.at - b.at);
    const used = new Set(steps.flatMap(({ from, to }) => [from, to]));
    return { lifelines: this.#lifelines.list(used), steps };
  }

  #describe(
    step: Draft,
    message: SipRequest | SipResponse,
    entry: TraceEntry,
    sides: { readonly from: Side; readonly to: Side },
  ): void {
    const callId = message.header('call-id');
    const cseq = message.header('cseq');
    if (callId !== undefined) step.callId = displayText(callId);
    if (cseq !== undefined) step.cseq = displayText(cseq);
    const ends = { from: sides.from.kind, to: sides.to.kind };
    const exchange = `${callId ?? ''} ${cseq ?? ''}`;
    if (message.kind === 'request') {
      const key = `${exchange} ${sides.from.id} ${sides.to.id}`;
      if (!this.#asked.has(key)) this.#asked.set(key, { step, request: message });
      step.note = requestNote(message, ends);
      return;
    }
    const asked = this.#asked.get(`${exchange} ${sides.to.id} ${sides.from.id}`);
    if (asked !== undefined) step.took = entry.at - asked.step.at;
    const report = readProbe(entry.octets);
    if (report !== undefined && asked !== undefined && sides.from.kind !== 'phone')
      this.#commit(report, asked, step);
    this.#answer(step, message, entry, asked?.request, { ...ends, exchange, report });
  }

  #answer(
    step: Draft,
    response: SipResponse,
    entry: TraceEntry,
    request: SipRequest | undefined,
    about: {
      readonly from: LifelineKind;
      readonly to: LifelineKind;
      readonly exchange: string;
      readonly report: ProbeReport | undefined;
    },
  ): void {
    const { status } = response;
    if (status < 300) {
      step.tone = status < 200 ? 'plain' : 'good';
      step.note = acceptedNote(response, request, about);
      return;
    }
    const inner = this.#innerRefusals.get(about.exchange);
    const refusal = refusalOf(response, entry, about.from, about.report, inner);
    step.refusal = refusal;
    if (about.from === 'registrar' || about.from === 'presence')
      this.#innerRefusals.set(about.exchange, refusal);
    if (status === 401 || status === 407) {
      const fresh =
        request === undefined || !(request.has('authorization') || request.has('proxy-authorization'));
      step.tone = fresh ? 'challenge' : 'refused';
      step.note = challengeNote(response, request);
      return;
    }
    step.tone = 'refused';
    step.note = whyNot(response, refusal);
  }

  /** The commit lies between request and answer; what the network took is split evenly on both sides. */
  #commit(report: ProbeReport, asked: Asked, answer: Draft): void {
    if (report.commitAt === undefined || report.commitTook === undefined) return;
    const travel = Math.max(0, answer.at - asked.step.at - report.total) / 2;
    const store = this.#lifelines.store();
    const tries =
      report.conflicts === undefined
        ? ''
        : ` after ${String(report.conflicts)} that met another change and were decided anew`;
    this.#steps.push({
      at: Math.round(asked.step.at + travel + report.commitAt),
      from: asked.step.to,
      to: store.id,
      kind: 'commit',
      label: 'commit',
      tone: report.outcome === 'committed' ? 'good' : 'plain',
      note: `Redis writes the new state if nobody else has changed it since it was read${tries}; only then may there be a 200.`,
      took: report.commitTook,
      ...(asked.step.callId === undefined ? {} : { callId: asked.step.callId }),
      ...(asked.step.cseq === undefined ? {} : { cseq: asked.step.cseq }),
    });
  }
}

const wayKey = (from: string, { octets }: TraceEntry): string => `${from} ${octets}`;

const labelOf = (message: SipRequest | SipResponse): string =>
  message.kind === 'request'
    ? displayText(message.method)
    : `${String(message.status)} ${displayText(message.reason)}`.trim();

function refusalOf(
  response: SipResponse,
  entry: TraceEntry,
  from: LifelineKind,
  report: ProbeReport | undefined,
  inner: StepRefusal | undefined,
): StepRefusal {
  const { status, reason } = response;
  if (entry.rule !== undefined)
    return { status, label: entry.rule.label, rule: entry.rule.section, by: 'edge' };
  if (from === 'edge' && inner !== undefined) return inner;
  const rule = innerRule(from, report?.outcome, status, reason);
  return rule === undefined
    ? { status, by: from }
    : { status, label: rule.label, rule: rule.section, by: from };
}

function whyNot(response: SipResponse, { label, by }: StepRefusal): string {
  const known = label === undefined ? undefined : REASONS[label];
  const said = by === 'phone' ? 'The device answers' : 'Refused';
  const why = known ?? `${said} with ${labelOf(response)}`;
  return `${why}.${refusalDetail(response)}`;
}
