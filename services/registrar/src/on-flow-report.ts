import { epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import { parseAor, StoreUnavailable } from '@rollcall/location';
import type {
  Aor,
  Binding,
  BindingChange,
  LocationReader,
  LocationSnapshot,
  LocationWriter,
  StoreClock,
} from '@rollcall/location';
import { respond } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import type { RegistrarLog } from './ports.ts';
import type { SnapshotMemory } from './snapshot-memory.ts';

/** What an edge tells of the flow of a binding. */
interface FlowReport {
  readonly binding: string;
  /** The first Path value that the edge knows the binding by. */
  readonly path: string;
  readonly state: 'gone' | 'reachable' | 'unreachable';
  readonly rttMs?: number;
}

export interface FlowReportParts {
  readonly location: LocationReader & LocationWriter;
  readonly clock: StoreClock;
  readonly memory: SnapshotMemory;
  readonly log: RegistrarLog;
  readonly onChanges: (changes: readonly BindingChange[]) => void;
}

/** The event package of these reports; no phone can publish it here. */
const PACKAGE = 'rollcall-flow';
const MAX_TRIES = 8;
const ACTOR = 'edge';

/** True for what `FlowReportHandler` answers. */
export function isFlowReport(request: SipRequest): boolean {
  if (request.method !== 'PUBLISH') return false;
  const event = request.event();
  return event.ok && event.value?.package === PACKAGE;
}

/**
 * Takes what edges find out about flows, because only a registrar writes bindings (RFC 5626 §5.3, §7: a binding whose flow has
 * failed is to go). A report counts only for a binding that still has the Path that was reported: a device that has come
 * back meanwhile is left alone. Compare-and-set, so that a refresh in between is never overwritten.
 */
export class FlowReportHandler {
  constructor(private readonly parts: FlowReportParts) {}

  handle(request: SipRequest, reply: (message: string) => void): void {
    const aor = parseAor(request.requestUri);
    const report = readReport(request.body);
    if (!aor.ok || report === undefined) {
      reply(respond(request, 400, { toTag: ACTOR }));
      return;
    }
    this.#carryOut(aor.value, report).then(
      () => {
        reply(respond(request, 200, { toTag: ACTOR }));
      },
      (error: unknown) => {
        if (!(error instanceof StoreUnavailable))
          this.parts.log.error({ err: error, aor: aor.value }, 'a flow report failed');
        reply(respond(request, 503, { toTag: ACTOR }));
      },
    );
  }

  async #carryOut(aor: Aor, report: FlowReport): Promise<void> {
    const { location, clock, memory, onChanges } = this.parts;
    let snapshot: LocationSnapshot = await location.read(aor);
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const next = applyReport(snapshot, report, clock.now());
      if (next === undefined) return;
      const outcome = await location.commit({
        aor,
        expectedVersion: snapshot.version,
        bindings: next.bindings,
        changes: next.changes,
        actor: ACTOR,
      });
      if (outcome.kind === 'committed') {
        memory.forget(aor);
        onChanges(next.changes);
        return;
      }
      snapshot = outcome.snapshot;
    }
  }
}

interface Applied {
  readonly bindings: readonly Binding[];
  readonly changes: readonly BindingChange[];
}

/**
 * The record after a report; undefined when it says nothing new. A binding without its flow ends as `deactivated`: the device may
 * register again at once (RFC 3680 §3.6). Reachability is no change that watchers of registrations are told of.
 */
export function applyReport(
  { bindings }: LocationSnapshot,
  report: FlowReport,
  now: EpochMs,
): Applied | undefined {
  const at = bindings.findIndex((one) => one.id === report.binding && one.path[0] === report.path);
  const binding = bindings[at];
  if (binding === undefined) return undefined;
  if (report.state === 'gone') {
    const changes: BindingChange[] = [{ kind: 'deactivated', binding }];
    return { bindings: bindings.filter((one) => one !== binding), changes };
  }
  const reachability = {
    reachable: report.state === 'reachable',
    ...(report.rttMs === undefined ? undefined : { rttMs: report.rttMs }),
    at: epochMs(now),
  };
  return { bindings: bindings.with(at, { ...binding, reachability }), changes: [] };
}

function readReport(body: string): FlowReport | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { binding, path, state, rttMs } = value as Record<string, unknown>;
  if (typeof binding !== 'string' || typeof path !== 'string') return undefined;
  if (state !== 'gone' && state !== 'reachable' && state !== 'unreachable') return undefined;
  const rtt =
    typeof rttMs === 'number' && Number.isFinite(rttMs) && rttMs >= 0 ? Math.round(rttMs) : undefined;
  return { binding, path, state, ...(rtt === undefined ? undefined : { rttMs: rtt }) };
}
