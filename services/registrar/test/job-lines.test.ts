import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Aor } from '@rollcall/location';
import { DEFAULT_POLICY } from '@rollcall/location';
import type { RegisterIntent } from '@rollcall/registration';
import { parseMessage } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import { JobLines } from '../src/job-lines.ts';
import { RegisterJob } from '../src/register-job.ts';
import { aorOf } from './support.ts';

const parsed = parseMessage('REGISTER sip:example.test SIP/2.0\r\n\r\n');
const request = (parsed.ok ? parsed.value : undefined) as SipRequest;

function registerOf(aor: Aor): RegisterJob {
  const intent: RegisterIntent = {
    aor,
    domain: 'example.test',
    action: { kind: 'query' },
    callId: 'c',
    cseq: 1,
    path: [],
    outboundHop: false,
    supportsPath: false,
    supportsOutbound: false,
    supportsGruu: false,
    pushElsewhere: false,
    userAgent: undefined,
    source: undefined,
  };
  return new RegisterJob(request, () => undefined, intent, DEFAULT_POLICY, undefined);
}

test('each AoR has one job at a time, in the order that they came, however their lines fall together', () => {
  fc.assert(
    fc.property(
      // As many AoRs as make some of them share a place.
      fc.array(fc.record({ user: fc.nat(40), leaves: fc.boolean() }), { maxLength: 200 }),
      fc.constantFrom(1, 3, 4096),
      (steps, places) => {
        const lines = new JobLines(places);
        const expected = new Map<string, RegisterJob[]>();
        const left = (job: RegisterJob): void => {
          const line = expected.get(job.intent.aor) ?? [];
          line.shift();
          expect(lines.leave(job)).toBe(line[0]);
        };
        for (const { user, leaves } of steps) {
          const job = registerOf(aorOf(`u${user.toString()}@example.test`));
          const line = expected.get(job.intent.aor) ?? [];
          expected.set(job.intent.aor, line);
          line.push(job);
          expect(lines.join(job)).toBe(line.length === 1);
          if (leaves && line[0] !== undefined) left(line[0]);
        }
        for (const line of expected.values()) while (line[0] !== undefined) left(line[0]);
      },
    ),
  );
});
