import {
  again,
  go,
  type Machine,
  pass,
  send,
  slow,
  start,
  stay,
  tellTimeout,
  tellTransport,
} from '../machine.ts';

export type NonInviteClientState = 'Trying' | 'Proceeding' | 'Completed' | 'Terminated';
export type NonInviteClientEvent =
  'provisional' | 'final' | 'timerE' | 'timerF' | 'timerK' | 'transportError';

/** RFC 3261 §17.1.2 (figure 6). */
export const nonInviteClient: Machine<NonInviteClientState, NonInviteClientEvent> = {
  name: 'non-INVITE client',
  begin: { on: 'request from user', ...go('Trying', send, start('E'), start('F')) },
  states: {
    Trying: {
      provisional: go('Proceeding', pass),
      final: go('Completed', pass, start('K')),
      timerE: stay(send, again('E')),
      timerF: go('Terminated', tellTimeout),
      transportError: go('Terminated', tellTransport),
    },
    Proceeding: {
      provisional: stay(pass),
      final: go('Completed', pass, start('K')),
      timerE: stay(send, slow('E')),
      timerF: go('Terminated', tellTimeout),
      transportError: go('Terminated', tellTransport),
    },
    Completed: {
      provisional: stay(),
      final: stay(),
      timerE: stay(),
      timerF: stay(),
      timerK: go('Terminated'),
      transportError: stay(), // nothing is sent in this state, so nothing can fail
    },
    Terminated: {},
  },
};
