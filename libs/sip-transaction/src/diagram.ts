import type { Effect, Machine, Transition } from './machine.ts';

/**
 * Prints a machine as a Mermaid `stateDiagram-v2`, one line for each row of its table: the event, then after a
 * slash what is done. The documentation holds this text, and a test compares the two.
 */
export function printDiagram<S extends string, E extends string>(machine: Machine<S, E>): string {
  const lines = [
    'stateDiagram-v2',
    `  [*] --> ${String(machine.begin.to)} : ${label(machine.begin.on, machine.begin)}`,
  ];
  for (const state of Object.keys(machine.states) as S[]) {
    const rows = Object.entries<Transition<S> | undefined>(machine.states[state]);
    if (rows.length === 0) lines.push(`  ${state} --> [*]`);
    for (const [event, transition] of rows) {
      if (transition !== undefined)
        lines.push(`  ${state} --> ${transition.to ?? state} : ${label(event, transition)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function label(event: string, transition: Transition<string>): string {
  const effects = transition.effects.map(effectText);
  return effects.length === 0 ? event : `${event} / ${effects.join(', ')}`;
}

function effectText(effect: Effect): string {
  switch (effect.kind) {
    case 'start':
      return `start ${effect.timer}`;
    case 'again':
      return `double ${effect.timer}`;
    case 'slow':
      return `${effect.timer} at T2`;
    case 'trying':
      return 'send 100';
    case 'ack':
      return 'send ACK';
    case 'pass':
      return 'to user';
    case 'timeout':
      return 'tell user of the timeout';
    case 'transport':
      return 'tell user of the transport error';
    case 'send':
    case 'resend':
      return effect.kind;
  }
}
