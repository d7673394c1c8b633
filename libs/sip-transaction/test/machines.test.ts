import { afterAll, describe, expect, it } from 'vitest';
import {
  inviteClient,
  inviteServer,
  type Machine,
  nonInviteClient,
  nonInviteServer,
  step,
  UnexpectedEvent,
} from '../src/index.ts';
import { checkRow, effectName, type Row, rowsOf } from './walk.ts';

/** Declares one test for each row, and one that no row of the table was left out. */
function rows<S extends string, E extends string>(
  machine: Machine<S, E>,
  sections: Record<string, Row<S, E>[]>,
): void {
  const seen = new Set<string>();
  for (const [section, list] of Object.entries(sections)) {
    describe(section, () => {
      it.each(list.map((row) => [`${row[0]}: ${row[1]} -> ${row[2]}`, row] as const))('%s', (_, row) => {
        checkRow(machine, seen, row);
      });
    });
  }
  afterAll(() => {
    expect([...seen].sort()).toEqual(rowsOf(machine).sort());
  });
}

describe('RFC 3261 §17.1.1 INVITE client transaction, with RFC 6026 §8.4', () => {
  it('begins in Calling: sends, starts timers A and B', () => {
    expect(inviteClient.begin.to).toBe('Calling');
    expect(inviteClient.begin.effects.map(effectName)).toEqual(['send', 'start A', 'start B']);
  });
  rows(inviteClient, {
    'Calling: the request is repeated until something comes': [
      ['Calling', 'timerA', 'Calling', 'send', 'again A'],
      ['Calling', 'timerB', 'Terminated', 'timeout'],
      ['Calling', 'provisional', 'Proceeding', 'pass'],
      ['Calling', 'success', 'Accepted', 'pass', 'start M'],
      ['Calling', 'failure', 'Completed', 'ack', 'pass', 'start D'],
      ['Calling', 'transportError', 'Terminated', 'transport'],
    ],
    'Proceeding: no more retransmission, no timer B': [
      ['Proceeding', 'provisional', 'Proceeding', 'pass'],
      ['Proceeding', 'success', 'Accepted', 'pass', 'start M'],
      ['Proceeding', 'failure', 'Completed', 'ack', 'pass', 'start D'],
      ['Proceeding', 'timerA', 'Proceeding'],
      ['Proceeding', 'timerB', 'Proceeding'],
      ['Proceeding', 'transportError', 'Terminated', 'transport'],
    ],
    'Completed: the final again gets the ACK again, and is not passed up': [
      ['Completed', 'failure', 'Completed', 'ack'],
      ['Completed', 'provisional', 'Completed'],
      ['Completed', 'success', 'Completed'],
      ['Completed', 'timerA', 'Completed'],
      ['Completed', 'timerB', 'Completed'],
      ['Completed', 'timerD', 'Terminated'],
      ['Completed', 'transportError', 'Terminated', 'transport'],
    ],
    'RFC 6026 §8.4 Accepted: every 2xx goes up, none is acknowledged here': [
      ['Accepted', 'success', 'Accepted', 'pass'],
      ['Accepted', 'provisional', 'Accepted'],
      ['Accepted', 'failure', 'Accepted'],
      ['Accepted', 'timerA', 'Accepted'],
      ['Accepted', 'timerB', 'Accepted'],
      ['Accepted', 'timerM', 'Terminated'],
      ['Accepted', 'transportError', 'Accepted'],
    ],
  });
});

describe('RFC 3261 §17.1.2 non-INVITE client transaction', () => {
  it('begins in Trying: sends, starts timers E and F', () => {
    expect(nonInviteClient.begin.to).toBe('Trying');
    expect(nonInviteClient.begin.effects.map(effectName)).toEqual(['send', 'start E', 'start F']);
  });
  rows(nonInviteClient, {
    Trying: [
      ['Trying', 'timerE', 'Trying', 'send', 'again E'],
      ['Trying', 'timerF', 'Terminated', 'timeout'],
      ['Trying', 'provisional', 'Proceeding', 'pass'],
      ['Trying', 'final', 'Completed', 'pass', 'start K'],
      ['Trying', 'transportError', 'Terminated', 'transport'],
    ],
    'Proceeding: timer E goes on at T2': [
      ['Proceeding', 'timerE', 'Proceeding', 'send', 'slow E'],
      ['Proceeding', 'timerF', 'Terminated', 'timeout'],
      ['Proceeding', 'provisional', 'Proceeding', 'pass'],
      ['Proceeding', 'final', 'Completed', 'pass', 'start K'],
      ['Proceeding', 'transportError', 'Terminated', 'transport'],
    ],
    'Completed: absorbs what comes late': [
      ['Completed', 'provisional', 'Completed'],
      ['Completed', 'final', 'Completed'],
      ['Completed', 'timerE', 'Completed'],
      ['Completed', 'timerF', 'Completed'],
      ['Completed', 'timerK', 'Terminated'],
      ['Completed', 'transportError', 'Completed'],
    ],
  });
});

describe('RFC 3261 §17.2.1 INVITE server transaction, with RFC 6026 §8.5-8.8', () => {
  it('begins in Proceeding: 100, and the INVITE goes up', () => {
    expect(inviteServer.begin.to).toBe('Proceeding');
    expect(inviteServer.begin.effects.map(effectName)).toEqual(['trying', 'pass']);
  });
  rows(inviteServer, {
    Proceeding: [
      ['Proceeding', 'retransmit', 'Proceeding', 'resend'],
      ['Proceeding', 'provisional', 'Proceeding', 'send'],
      ['Proceeding', 'success', 'Accepted', 'send', 'start L'],
      ['Proceeding', 'failure', 'Completed', 'send', 'start G', 'start H'],
      ['Proceeding', 'ack', 'Proceeding'],
      ['Proceeding', 'transportError', 'Proceeding', 'transport'],
    ],
    'Completed: the final is repeated until the ACK': [
      ['Completed', 'retransmit', 'Completed', 'resend'],
      ['Completed', 'timerG', 'Completed', 'resend', 'again G'],
      ['Completed', 'timerH', 'Terminated', 'timeout'],
      ['Completed', 'ack', 'Confirmed', 'start I'],
      ['Completed', 'provisional', 'Completed'],
      ['Completed', 'success', 'Completed'],
      ['Completed', 'failure', 'Completed'],
      ['Completed', 'transportError', 'Completed', 'transport'],
    ],
    'Confirmed: absorbs further ACKs': [
      ['Confirmed', 'ack', 'Confirmed'],
      ['Confirmed', 'retransmit', 'Confirmed'],
      ['Confirmed', 'provisional', 'Confirmed'],
      ['Confirmed', 'success', 'Confirmed'],
      ['Confirmed', 'failure', 'Confirmed'],
      ['Confirmed', 'timerG', 'Confirmed'],
      ['Confirmed', 'timerH', 'Confirmed'],
      ['Confirmed', 'timerI', 'Terminated'],
      ['Confirmed', 'transportError', 'Confirmed'],
    ],
    'RFC 6026 §8.7 Accepted: absorbs the INVITE, lets further 2xx and the ACK through': [
      ['Accepted', 'retransmit', 'Accepted'],
      ['Accepted', 'ack', 'Accepted', 'pass'],
      ['Accepted', 'success', 'Accepted', 'send'],
      ['Accepted', 'provisional', 'Accepted'],
      ['Accepted', 'failure', 'Accepted'],
      ['Accepted', 'timerL', 'Terminated'],
      ['Accepted', 'transportError', 'Accepted', 'transport'],
    ],
  });
});

describe('RFC 3261 §17.2.2 non-INVITE server transaction', () => {
  it('begins in Trying: the request goes up', () => {
    expect(nonInviteServer.begin.to).toBe('Trying');
    expect(nonInviteServer.begin.effects.map(effectName)).toEqual(['pass']);
  });
  rows(nonInviteServer, {
    'Trying: a retransmission is discarded': [
      ['Trying', 'retransmit', 'Trying'],
      ['Trying', 'provisional', 'Proceeding', 'send'],
      ['Trying', 'final', 'Completed', 'send', 'start J'],
      ['Trying', 'transportError', 'Trying', 'transport'],
    ],
    'Proceeding: a retransmission gets the last provisional': [
      ['Proceeding', 'retransmit', 'Proceeding', 'resend'],
      ['Proceeding', 'provisional', 'Proceeding', 'send'],
      ['Proceeding', 'final', 'Completed', 'send', 'start J'],
      ['Proceeding', 'transportError', 'Proceeding', 'transport'],
    ],
    'E05 Completed: a retransmission gets the final again, another final is discarded': [
      ['Completed', 'retransmit', 'Completed', 'resend'],
      ['Completed', 'final', 'Completed'],
      ['Completed', 'provisional', 'Completed'],
      ['Completed', 'timerJ', 'Terminated'],
      ['Completed', 'transportError', 'Completed', 'transport'],
    ],
  });
});

describe('an event that is not in the table', () => {
  it('is an error that names machine, state and event', () => {
    expect(() => step(nonInviteServer, 'Terminated', 'retransmit')).toThrow(UnexpectedEvent);
    expect(() => step(inviteServer, 'Proceeding', 'timerG')).toThrow(
      'INVITE server transaction: no row for event timerG in state Proceeding',
    );
  });
});
