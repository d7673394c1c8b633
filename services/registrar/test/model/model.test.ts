import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryLocation } from '@rollcall/location';
import { START } from '../support.ts';
import { checkHistory, finalState } from './check.ts';
import { plans } from './plan.ts';
import type { Plan } from './plan.ts';
import { ModelSystem } from './system.ts';
import type { Exchange, History, LoggedCommit } from './system.ts';

/** Longer runs: `ROLLCALL_TEST_MODEL_RUNS=20000 ROLLCALL_TEST_MODEL_SEED=7`. */
const RUNS = Number(process.env['ROLLCALL_TEST_MODEL_RUNS'] ?? '300');
const SEED = Number(process.env['ROLLCALL_TEST_MODEL_SEED'] ?? '3261');
const LONGEST = 20;
const PATIENCE_MS = 1_000 + RUNS * 400;

/** Turns of the loop that a call to the store takes: the same for the same seed, and another for each call. */
function delays(seed: number): () => Promise<void> {
  let state = seed | 1;
  return async () => {
    state = Math.imul(state, 48_271) & 0x7fffffff;
    for (let turns = (state >>> 8) % 4; turns > 0; turns--)
      await new Promise((resolve) => setImmediate(resolve));
  };
}

async function play(
  plan: Plan,
  seed: number,
): Promise<{ problems: string[]; acts: number; history: History }> {
  let now = START;
  const store = new MemoryLocation({ now: () => now });
  const system = new ModelSystem([store], delays(seed), plan.policy, START);
  const history = await system.carryOut(plan);
  now = history.times.at(-1) ?? START;
  const aors = ['alice', 'bob'].map((user) => system.aor(user));
  const problems = checkHistory(history, plan.policy, aors);
  for (const aor of aors) {
    const { bindings } = await store.read(aor);
    const stored = bindings.filter(({ expiresAt }) => expiresAt > now).map(({ contact }) => contact);
    const wanted = finalState(history, plan.policy, aor).map(({ uri }) => uri);
    if (stored.sort().join() !== wanted.sort().join())
      problems.push(`at the end ${stored.join()} is stored, not ${wanted.join()}`);
  }
  return { problems, acts: history.acts, history };
}

test('the check sees a lost update, an answer that lists too much, and a commit that nobody asked for', async () => {
  const contact = { uri: 'sip:a@192.0.2.1:5060', expires: 600 };
  const acts = [1, 2].map((cseq) => ({
    kind: 'register' as const,
    user: 'alice',
    replicas: [0],
    request: {
      callId: `c${cseq.toString()}`,
      cseq,
      action: [{ ...contact, uri: `${contact.uri}${cseq.toString()}` }],
    },
  }));
  const policy = { min: 60, usual: 3600, max: 7200, contacts: 10, onLimit: 'reject' as const };
  const { history, problems } = await play(
    { policy, steps: acts.map((act) => ({ after: 1, acts: [act] })) },
    1,
  );
  expect(problems).toEqual([]);
  const { commits, exchanges } = history;
  const aors = exchanges.slice(0, 1).map(({ aor }) => aor);
  const check = (change: Partial<History>): number =>
    checkHistory({ ...history, ...change }, policy, aors).length;
  expect(check({})).toBe(0);
  expect(check({ commits: commits.slice(0, 1) })).toBeGreaterThan(0);
  expect(
    check({ commits: commits.map((one) => ({ ...one, bindings: one.bindings.slice(0, 1) })) }),
  ).toBeGreaterThan(0);
  const [first, second] = exchanges as [Exchange, Exchange];
  expect(check({ exchanges: [{ ...first, answer: second.answer }, second] })).toBeGreaterThan(0);
  expect(check({ commits: commits.map((one) => ({ ...one, exchange: undefined })) })).toBeGreaterThan(0);
  expect(check({ commits: commits.map((one) => ({ ...one, version: 7 })) })).toBeGreaterThan(0);
});

test('B12 a reg-id that has no meaning without an instance makes another request all the same', async () => {
  const policy = { min: 60, usual: 120, max: 7200, contacts: 2, onLimit: 'reject' as const };
  const uri = 'sip:d@192.0.2.1:5060';
  const acts = [{ uri, regId: 1 }, { uri }, { uri, regId: 1 }].map((contact) => ({
    kind: 'register' as const,
    user: 'bob',
    replicas: [0],
    request: { callId: 'c4', cseq: 0, action: [contact] },
  }));
  const { history, problems } = await play({ policy, steps: [{ after: 1, acts }] }, 1);
  expect(problems).toEqual([]);
  const statuses = [...history.exchanges].sort((a, b) => a.id - b.id).map(({ answer }) => answer.status);
  expect(statuses).toEqual([200, 500, 200]);
});

test('records of one AoR stand in the order in which they were written, however late that was learned', async () => {
  const policy = { min: 60, usual: 3600, max: 7200, contacts: 10, onLimit: 'reject' as const };
  const actions = [
    [{ uri: 'sip:a@192.0.2.1:5060', expires: 600 }],
    'clear' as const,
    [{ uri: 'sip:b@192.0.2.1:5060', expires: 600 }],
  ];
  const steps = actions.map((action, cseq) => ({
    after: 1,
    acts: [
      { kind: 'register' as const, user: 'alice', replicas: [0], request: { callId: 'c', cseq, action } },
    ],
  }));
  const { history } = await play({ policy, steps }, 1);
  const aors = history.exchanges.slice(0, 1).map(({ aor }) => aor);
  const [begun, ended, begunAnew] = history.commits as [LoggedCommit, LoggedCommit, LoggedCommit];
  const learned = { ...history, commits: [begunAnew, begun, ended] };
  // Versions are drawn: the later one may be the lower.
  const check = (first: LoggedCommit, second: LoggedCommit): string[] =>
    checkHistory(learned, policy, aors, new Map([first, second].map(({ version }, at) => [version, at])));
  expect(check(begun, begunAnew)).toEqual([]);
  expect(check(begunAnew, begun)).not.toEqual([]);
});

test(
  'B01-B22 R15 K29 whatever comes at once over three registrars, every answer and the final state agree with a serial order',
  async () => {
    let acts = 0;
    await fc.assert(
      fc.asyncProperty(plans(LONGEST), fc.nat(), async (plan, seed) => {
        const played = await play(plan, seed);
        acts += played.acts;
        expect(played.problems).toEqual([]);
      }),
      { seed: SEED, numRuns: RUNS },
    );
    process.stdout.write(
      `the model test carried out ${acts.toString()} commands in ${RUNS.toString()} plans\n`,
    );
    expect(acts).toBeGreaterThan(RUNS);
  },
  PATIENCE_MS,
);
