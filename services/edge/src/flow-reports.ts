import { randomBytes } from 'node:crypto';
import { BoundedMap } from '@rollcall/kernel';
import type { Clock } from '@rollcall/kernel';
import { aorDomain } from '@rollcall/location';
import type { Aor, Binding } from '@rollcall/location';
import { newBranch } from './hop.ts';
import type { InnerLink } from './ports.ts';

/** What an edge has found out about the flow of a binding. */
export type FlowFinding =
  /** There is no such flow, and never will be again. */
  | { readonly state: 'gone' }
  | { readonly state: 'reachable'; readonly rttMs: number }
  | { readonly state: 'unreachable' };

/** The part of a binding that a report names: the registrar touches it only while it still has this Path. */
export type ReportedBinding = Pick<Binding, 'id' | 'path'>;

/** A binding is reported once in this time: calls to a dead flow come in bursts. */
const QUIET_MS = 5_000;
const REMEMBERED = 10_000;
const TAG_OCTETS = 6;

/**
 * Tells the registrar what became of a flow: an edge never writes a binding. A report is a PUBLISH on the inner hop
 * (`Event: rollcall-flow`), which may be carried out twice, or never: whatever it says is found out again.
 */
export class FlowReports {
  readonly #told = new BoundedMap<string, number>(REMEMBERED);
  sent = 0;

  constructor(
    private readonly registrar: InnerLink,
    private readonly clock: Clock,
    /** Where inner services reach this edge, `host:port`. */
    private readonly inner: string,
  ) {}

  report(aor: Aor, binding: ReportedBinding, finding: FlowFinding): void {
    const path = binding.path[0];
    if (path === undefined) return;
    const now = this.clock.now();
    const key = `${aor} ${binding.id} ${path} ${finding.state}`;
    if ((this.#told.peek(key) ?? 0) > now) return;
    this.#told.set(key, now + QUIET_MS);
    const branch = newBranch();
    const token = randomBytes(TAG_OCTETS).toString('hex');
    const body = JSON.stringify({ binding: binding.id, path, ...finding });
    const message =
      `PUBLISH ${aor} SIP/2.0\r\nVia: SIP/2.0/TCP ${this.inner};branch=${branch}\r\nMax-Forwards: 70\r\n` +
      `From: <sip:edge@${aorDomain(aor) ?? 'invalid'}>;tag=${token}\r\nTo: <${aor}>\r\nCall-ID: ${token}\r\nCSeq: 1 PUBLISH\r\n` +
      `Event: rollcall-flow\r\nContent-Type: application/json\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`;
    this.sent += 1;
    this.registrar.request(aor, branch, message, () => undefined);
  }
}
