import {
  ack,
  again,
  go,
  type Machine,
  pass,
  send,
  start,
  stay,
  tellTimeout,
  tellTransport,
} from '../machine.ts';

export type InviteClientState = 'Calling' | 'Proceeding' | 'Completed' | 'Accepted' | 'Terminated';
export type InviteClientEvent =
  'provisional' | 'success' | 'failure' | 'timerA' | 'timerB' | 'timerD' | 'timerM' | 'transportError';

/** RFC 3261 §17.1.1 as replaced by RFC 6026 §8.4 (figure 5). `failure` is a final of 300–699. */
export const inviteClient: Machine<InviteClientState, InviteClientEvent> = {
  name: 'INVITE client',
  begin: { on: 'INVITE from user', ...go('Calling', send, start('A'), start('B')) },
  states: {
    Calling: {
      provisional: go('Proceeding', pass),
      success: go('Accepted', pass, start('M')),
      failure: go('Completed', ack, pass, start('D')),
      timerA: stay(send, again('A')),
      timerB: go('Terminated', tellTimeout),
      transportError: go('Terminated', tellTransport),
    },
    Proceeding: {
      provisional: stay(pass),
      success: go('Accepted', pass, start('M')),
      failure: go('Completed', ack, pass, start('D')),
      timerA: stay(), // §17.1.1.2: no retransmission after a provisional
      timerB: stay(), // B ends only Calling; the proxy's timer C (§16.6 item 11) is the user's
      transportError: go('Terminated', tellTransport),
    },
    Completed: {
      provisional: stay(),
      success: stay(), // a final has been passed up; RFC 6026 lets a 2xx through only in Accepted
      failure: stay(ack),
      timerA: stay(),
      timerB: stay(),
      timerD: go('Terminated'),
      transportError: go('Terminated', tellTransport),
    },
    Accepted: {
      provisional: stay(),
      success: stay(pass),
      failure: stay(),
      timerA: stay(),
      timerB: stay(),
      timerM: go('Terminated'),
      transportError: stay(), // nothing is sent in this state, so nothing can fail
    },
    Terminated: {},
  },
};
