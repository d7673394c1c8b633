import { setImmediate as nextTurn } from 'node:timers/promises';
import type { InternalRequest, InternalRoutes } from '@rollcall/http';
import { parseAor } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import type { Flow } from '@rollcall/sip-transaction';
import type { EdgeStatus } from '@rollcall/trace';
import type { EdgeTrace } from './edge-trace.ts';

export interface InternalSources {
  readonly trace: EdgeTrace;
  readonly status: () => EdgeStatus;
  readonly streams: () => readonly Flow[];
}

/** Messages of one answer at most. */
const MAX_ENTRIES = 5_000;
/** Flows of one answer at most. */
const MAX_FLOWS = 1_000;

interface Answer {
  readonly status: number;
  readonly value: unknown;
}

const ok = (value: unknown): Answer => ({ status: 200, value });
const bad = (detail: string): Answer => ({ status: 400, value: { detail } });

/** What admin asks an edge: its status, its flows, what it has kept, and whom to trace. */
export function internalRoutes(token: string, sources: InternalSources): InternalRoutes {
  const { trace, status, streams } = sources;
  return {
    token,
    handle: async (request) => {
      switch (request.path) {
        case '/internal/status':
          return ok(status());
        case '/internal/flows':
          return ok(flowsOf(streams(), limitOf(request, MAX_FLOWS)));
        case '/internal/trace':
          return findEntries(trace, request);
        case '/internal/traces':
          return changeTraces(trace, request);
        default:
          return undefined;
      }
    },
  };
}

function limitOf({ query }: InternalRequest, most: number): number {
  const wanted = Number(query.get('limit') ?? most);
  return Number.isInteger(wanted) && wanted > 0 ? Math.min(wanted, most) : most;
}

function readAor(text: unknown): Aor | undefined {
  const aor = typeof text === 'string' ? parseAor(text) : undefined;
  return aor?.ok === true ? aor.value : undefined;
}

async function findEntries(trace: EdgeTrace, request: InternalRequest): Promise<Answer> {
  const aor = readAor(request.query.get('aor'));
  const callId = request.query.get('call_id');
  if (aor === undefined && callId === null) return bad('neither aor nor call_id');
  const wanted = aor === undefined ? { callId: callId ?? '' } : { aor };
  const entries = await trace.recorder.find(wanted, limitOf(request, MAX_ENTRIES), () => nextTurn());
  return ok({ entries });
}

function changeTraces(trace: EdgeTrace, { method, query, body }: InternalRequest): Answer {
  const { recorder } = trace;
  if (method === 'PUT') {
    const { aor: text, until } = (body ?? {}) as { aor?: unknown; until?: unknown };
    const aor = readAor(text);
    if (aor === undefined || typeof until !== 'number') return bad('aor and until are wanted');
    if (!recorder.trace({ aor, until })) return { status: 409, value: { detail: 'too many traces' } };
  } else if (method === 'DELETE') {
    const aor = readAor(query.get('aor'));
    if (aor === undefined) return bad('aor is wanted');
    recorder.untrace(aor);
  }
  trace.update();
  return ok({ traces: recorder.traces() });
}

function flowsOf(flows: readonly Flow[], limit: number): unknown {
  const items = flows
    .slice(0, limit)
    .map(({ id, transport, remote, local }) => ({ id, transport, remote, local }));
  return { total: flows.length, items };
}
