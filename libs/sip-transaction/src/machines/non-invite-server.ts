import { go, type Machine, pass, resend, send, start, stay, tellTransport } from '../machine.ts';

export type NonInviteServerState = 'Trying' | 'Proceeding' | 'Completed' | 'Terminated';
export type NonInviteServerEvent = 'retransmit' | 'provisional' | 'final' | 'timerJ' | 'transportError';

/**
 * RFC 3261 §17.2.2 (figure 8). `retransmit` is the request once more. After a transport error the state
 * stays: RFC 6026 §8.8 changed §17.2.4 for both server machines.
 */
export const nonInviteServer: Machine<NonInviteServerState, NonInviteServerEvent> = {
  name: 'non-INVITE server',
  begin: { on: 'request received', ...go('Trying', pass) },
  states: {
    Trying: {
      retransmit: stay(), // §17.2.2: discarded
      provisional: go('Proceeding', send),
      final: go('Completed', send, start('J')),
      transportError: stay(tellTransport),
    },
    Proceeding: {
      retransmit: stay(resend),
      provisional: stay(send),
      final: go('Completed', send, start('J')),
      transportError: stay(tellTransport),
    },
    Completed: {
      retransmit: stay(resend),
      provisional: stay(),
      final: stay(), // §17.2.2: any other final is discarded
      timerJ: go('Terminated'),
      transportError: stay(tellTransport),
    },
    Terminated: {},
  },
};
