import { describe, expect, it } from 'vitest';
import { inviteClient, inviteServer, nonInviteClient, nonInviteServer, printDiagram } from '../src/index.ts';
import { rowsOf } from './walk.ts';

describe('printDiagram', () => {
  it('prints the non-INVITE server machine', () => {
    expect(printDiagram(nonInviteServer)).toBe(
      `stateDiagram-v2
  [*] --> Trying : request received / to user
  Trying --> Trying : retransmit
  Trying --> Proceeding : provisional / send
  Trying --> Completed : final / send, start J
  Trying --> Trying : transportError / tell user of the transport error
  Proceeding --> Proceeding : retransmit / resend
  Proceeding --> Proceeding : provisional / send
  Proceeding --> Completed : final / send, start J
  Proceeding --> Proceeding : transportError / tell user of the transport error
  Completed --> Completed : retransmit / resend
  Completed --> Completed : provisional
  Completed --> Completed : final
  Completed --> Terminated : timerJ
  Completed --> Completed : transportError / tell user of the transport error
  Terminated --> [*]
`,
    );
  });

  it('has one line for each row of each machine, and one for the begin and the end', () => {
    for (const machine of [inviteClient, nonInviteClient, inviteServer, nonInviteServer]) {
      expect(
        printDiagram(machine as never)
          .trimEnd()
          .split('\n'),
      ).toHaveLength(1 + 1 + rowsOf(machine as never).length + 1);
    }
  });
});
