import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Effect,
  inviteClient,
  inviteServer,
  type Machine,
  nonInviteClient,
  nonInviteServer,
  step,
  type TimerName,
  timersFor,
  type TransportName,
} from '../src/index.ts';

interface Run {
  readonly effects: readonly { readonly at: number; readonly effect: Effect; readonly event: string }[];
  readonly state: string;
  readonly ended: number;
}

/**
 * Runs a machine as an owner would: with timers of the transport on a clock of its own, and events from outside at given times.
 * Every event from outside may come in every state, and every timer that was started may fire late; the table has to know them all.
 */
function run<S extends string, E extends string>(
  machine: Machine<S, E>,
  transport: TransportName,
  outside: readonly { readonly at: number; readonly event: E }[],
): Run {
  const times = timersFor(transport);
  const agenda: { at: number; event: E }[] = [...outside];
  const effects: Run['effects'][number][] = [];
  const intervals = new Map<TimerName, number>();
  let state = machine.begin.to as S;
  let now = 0;
  const arm = (timer: TimerName, ms: number | undefined): void => {
    if (ms === undefined) return;
    intervals.set(timer, ms);
    agenda.push({ at: now + ms, event: `timer${timer}` as E });
  };
  const carryOut = (list: readonly Effect[], event: string): void => {
    for (const effect of list) {
      effects.push({ at: now, effect, event });
      if (effect.kind === 'start') arm(effect.timer, times.first(effect.timer));
      if (effect.kind === 'again')
        arm(effect.timer, times.next(effect.timer, intervals.get(effect.timer) ?? 0));
      if (effect.kind === 'slow') arm(effect.timer, times.slow);
    }
  };
  carryOut(machine.begin.effects, 'begin');
  while (agenda.length > 0 && state !== 'Terminated') {
    agenda.sort((a, b) => a.at - b.at);
    const next = agenda.shift();
    if (next === undefined) break;
    now = next.at;
    const transition = step(machine, state, next.event);
    state = transition.to ?? state;
    carryOut(transition.effects, next.event);
  }
  return { effects, state, ended: now };
}

const transports: fc.Arbitrary<TransportName> = fc.constantFrom('udp', 'tcp', 'tls', 'ws', 'wss');
const events = <E extends string>(...names: E[]): fc.Arbitrary<{ at: number; event: E }[]> =>
  fc.array(fc.record({ at: fc.integer({ min: 0, max: 40_000 }), event: fc.constantFrom(...names) }), {
    maxLength: 30,
  });

const count = (result: Run, kind: Effect['kind'], event?: string): number =>
  result.effects.filter(
    (entry) => entry.effect.kind === kind && (event === undefined || entry.event === event),
  ).length;

describe('whatever comes, in whatever order', () => {
  it('a non-INVITE client ends, tells its user exactly one outcome, and sends at most 11 times', () => {
    fc.assert(
      fc.property(transports, events('provisional', 'final', 'transportError'), (transport, outside) => {
        const result = run(nonInviteClient, transport, outside);
        expect(result.state).toBe('Terminated');
        expect(count(result, 'pass', 'final') + count(result, 'timeout') + count(result, 'transport')).toBe(
          1,
        );
        expect(count(result, 'send')).toBeLessThanOrEqual(transport === 'udp' ? 11 : 1);
      }),
    );
  });

  it('a non-INVITE server sends at most one first final, and ends timer J after it', () => {
    fc.assert(
      fc.property(
        transports,
        events('retransmit', 'provisional', 'final', 'transportError'),
        (transport, outside) => {
          const result = run(nonInviteServer, transport, outside);
          expect(count(result, 'send', 'final')).toBe(outside.some(({ event }) => event === 'final') ? 1 : 0);
          if (count(result, 'send', 'final') === 1) {
            const sent =
              result.effects.find((entry) => entry.effect.kind === 'send' && entry.event === 'final')?.at ??
              -1;
            expect(result.state).toBe('Terminated');
            expect(result.ended - sent).toBe(transport === 'udp' ? 32_000 : 0);
          }
        },
      ),
    );
  });

  it('an INVITE client acknowledges each non-2xx final, tells one kind of end only, and ends once a final has come', () => {
    fc.assert(
      fc.property(
        transports,
        events('provisional', 'success', 'failure', 'transportError'),
        (transport, outside) => {
          const result = run(inviteClient, transport, outside);
          const failures = count(result, 'pass', 'failure');
          const successes = count(result, 'pass', 'success');
          const lost = count(result, 'timeout') + count(result, 'transport');
          expect(failures).toBeLessThanOrEqual(1);
          expect(failures > 0 && successes > 0).toBe(false);
          if (failures > 0) expect(count(result, 'ack')).toBeGreaterThanOrEqual(1);
          if (successes > 0) expect(lost).toBe(0);
          const answered = outside.some(({ event }) => event !== 'provisional');
          if (answered || outside.length === 0) expect(result.state).toBe('Terminated');
        },
      ),
    );
  });

  it('an INVITE server sends one kind of final, stops repeating it at the ACK, and ends after it', () => {
    fc.assert(
      fc.property(
        transports,
        events('retransmit', 'ack', 'provisional', 'success', 'failure', 'transportError'),
        (transport, outside) => {
          const result = run(inviteServer, transport, outside);
          const failures = count(result, 'send', 'failure');
          const successes = count(result, 'send', 'success');
          expect(failures).toBeLessThanOrEqual(1);
          expect(failures > 0 && successes > 0).toBe(false);
          if (failures + successes > 0) expect(result.state).toBe('Terminated');
          const confirmed = result.effects.find(
            (entry) => entry.effect.kind === 'start' && entry.effect.timer === 'I',
          )?.at;
          const resentLater = result.effects.some(
            (entry) => entry.effect.kind === 'resend' && confirmed !== undefined && entry.at > confirmed,
          );
          expect(resentLater).toBe(false);
        },
      ),
    );
  });
});
