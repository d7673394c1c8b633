import {
  again,
  go,
  type Machine,
  pass,
  resend,
  send,
  start,
  stay,
  tellTimeout,
  tellTransport,
  trying,
} from '../machine.ts';

export type InviteServerState = 'Proceeding' | 'Completed' | 'Confirmed' | 'Accepted' | 'Terminated';
export type InviteServerEvent =
  | 'retransmit'
  | 'ack'
  | 'provisional'
  | 'success'
  | 'failure'
  | 'timerG'
  | 'timerH'
  | 'timerI'
  | 'timerL'
  | 'transportError';

/**
 * RFC 3261 §17.2.1 as replaced by RFC 6026 §8.5–8.8 (figure 7). `retransmit` is the INVITE once more,
 * `failure` a final of 300–699 from the user. After a transport error the state stays (RFC 6026 §8.8).
 */
export const inviteServer: Machine<InviteServerState, InviteServerEvent> = {
  name: 'INVITE server',
  begin: { on: 'INVITE received', ...go('Proceeding', trying, pass) },
  states: {
    Proceeding: {
      retransmit: stay(resend),
      ack: stay(), // an ACK before any final acknowledges nothing
      provisional: stay(send),
      success: go('Accepted', send, start('L')),
      failure: go('Completed', send, start('G'), start('H')),
      transportError: stay(tellTransport),
    },
    Completed: {
      retransmit: stay(resend),
      ack: go('Confirmed', start('I')),
      provisional: stay(), // a final has been sent
      success: stay(),
      failure: stay(),
      timerG: stay(resend, again('G')),
      timerH: go('Terminated', tellTimeout),
      transportError: stay(tellTransport),
    },
    Confirmed: {
      retransmit: stay(),
      ack: stay(),
      provisional: stay(),
      success: stay(),
      failure: stay(),
      timerG: stay(), // §17.2.1: timer G is ignored in this state
      timerH: stay(),
      timerI: go('Terminated'),
      transportError: stay(), // nothing is sent in this state, so nothing can fail
    },
    Accepted: {
      retransmit: stay(), // RFC 6026 §8.7: absorbed; whoever accepted resends its 2xx
      ack: stay(pass),
      provisional: stay(),
      success: stay(send),
      failure: stay(),
      timerL: go('Terminated'),
      transportError: stay(tellTransport),
    },
    Terminated: {},
  },
};
