import type { Aor, Binding } from '@rollcall/location';
import type { SipResponse } from '@rollcall/sip';
import type { Exchange, History, LoggedCommit } from './system.ts';
import { alive, modelRegister } from './reference.ts';
import type { ModelBinding, ModelPolicy } from './reference.ts';

type Bindings = readonly ModelBinding[];

/** The states of one AoR, one after the other: `states[n]` is what holds before `commits[n]`. */
interface Line {
  readonly commits: readonly LoggedCommit[];
  readonly states: readonly Bindings[];
}

/**
 * Whether what happened is what the model does in some serial order: that of the commits, which their versions tell. The problems
 * found, each in a line.
 */
export function checkHistory(
  history: History,
  policy: ModelPolicy,
  aors: readonly Aor[],
  beginnings: Beginnings = 'by version',
): string[] {
  const problems: string[] = [];
  for (const aor of aors) {
    const commits = history.commits.filter((one) => one.aor === aor);
    const line = replay(inOrder(commits, beginnings), history, policy, problems);
    if (line.commits.length !== commits.length || !areUnique(commits))
      problems.push(`the versions of the ${commits.length.toString()} commits of ${aor} tell no one order`);
    for (const exchange of history.exchanges.filter((one) => one.aor === aor)) {
      if (!line.commits.some((commit) => commit.exchange === exchange.id))
        checkUnwritten(exchange, line, history, policy, problems);
    }
  }
  return problems;
}

/** The state of an AoR at the end, as the model has it. */
export function finalState(
  history: History,
  policy: ModelPolicy,
  aor: Aor,
  beginnings: Beginnings = 'by version',
): Bindings {
  const commits = history.commits.filter((one) => one.aor === aor);
  const line = replay(inOrder(commits, beginnings), history, policy, []);
  return alive(line.states.at(-1) ?? [], history.times.at(-1) ?? 0);
}

/**
 * In which order records of one AoR began. In memory by their versions. On Redis a first version is drawn, and answers of several
 * connections are learned in any order: there it is the place at which Redis was seen to write each version.
 */
export type Beginnings = 'by version' | ReadonlyMap<number, number>;

/** No two commits made the same version: a registrar that remembers one would take the other for it, and overwrite it. */
function areUnique(commits: readonly LoggedCommit[]): boolean {
  const versions = commits.map(({ version }) => version).filter((version) => version !== 0);
  return new Set(versions).size === versions.length;
}

/** Each commit names the version that it follows. */
function inOrder(commits: readonly LoggedCommit[], beginnings: Beginnings): LoggedCommit[] {
  const place = ({ version }: LoggedCommit): number =>
    beginnings === 'by version' ? version : (beginnings.get(version) ?? Infinity);
  const fresh = commits.filter(({ before }) => before === 0).sort((a, b) => place(a) - place(b));
  const next = new Map(commits.filter(({ before }) => before !== 0).map((one) => [one.before, one]));
  const ordered: LoggedCommit[] = [];
  for (const first of fresh) {
    let commit: LoggedCommit | undefined = first;
    while (commit !== undefined) {
      ordered.push(commit);
      commit = commit.version === 0 ? undefined : next.get(commit.version);
    }
  }
  return ordered;
}

function replay(
  commits: readonly LoggedCommit[],
  history: History,
  policy: ModelPolicy,
  problems: string[],
): Line {
  let state: Bindings = [];
  const states: Bindings[] = [state];
  for (const commit of commits) {
    const now = history.times[commit.step] ?? 0;
    const next = modelCommit(commit, state, history, policy, now, problems);
    const [wanted, stored] = [next.map(printModel).sort(), commit.bindings.map(printStored).sort()];
    if (wanted.join() !== stored.join())
      problems.push(
        `step ${commit.step.toString()}: stored ${stored.join()} but the model has ${wanted.join()}`,
      );
    if (commit.bindings.length > policy.contacts)
      problems.push(`step ${commit.step.toString()}: over the limit`);
    state = next;
    states.push(state);
  }
  return { commits, states };
}

function modelCommit(
  commit: LoggedCommit,
  state: Bindings,
  history: History,
  policy: ModelPolicy,
  now: number,
  problems: string[],
): Bindings {
  if (commit.exchange === undefined) {
    const uri = commit.actor?.startsWith('delete ') === true ? commit.actor.slice('delete '.length) : '';
    return alive(state, now).filter((binding) => binding.uri !== uri);
  }
  const exchange = history.exchanges.find(({ id }) => id === commit.exchange);
  if (exchange === undefined) return state;
  const outcome = modelRegister(state, exchange.request, policy, now);
  if (outcome.status !== 200 || !outcome.changed)
    problems.push(
      `exchange ${exchange.id.toString()}: written, but the model says ${outcome.status.toString()}`,
    );
  compareAnswer(exchange, outcome.status, outcome.bindings, now, problems);
  return outcome.bindings;
}

/** An answer without a commit agrees with some state between its request and the end of its step. */
function checkUnwritten(
  exchange: Exchange,
  line: Line,
  history: History,
  policy: ModelPolicy,
  problems: string[],
): void {
  const now = history.times[exchange.step] ?? 0;
  const known = new Set(history.commits.slice(0, exchange.after));
  const from = line.commits.findLastIndex((commit) => known.has(commit)) + 1;
  const to = line.commits.findLastIndex((commit) => commit.step <= exchange.step) + 1;
  const tries: string[] = [];
  for (let at = from; at <= to; at++) {
    const outcome = modelRegister(line.states[at] ?? [], exchange.request, policy, now);
    const found: string[] = [];
    if (outcome.status === 200 && outcome.changed) found.push('the model writes');
    compareAnswer(exchange, outcome.status, outcome.bindings, now, found);
    if (found.length === 0) return;
    tries.push(...found);
  }
  problems.push(`exchange ${exchange.id.toString()} agrees with no state: ${tries.join(' | ')}`);
}

function compareAnswer(
  exchange: Exchange,
  status: number,
  bindings: Bindings,
  now: number,
  problems: string[],
): void {
  const { answer, id } = exchange;
  if (answer.status !== status) {
    problems.push(
      `exchange ${id.toString()}: answered ${answer.status.toString()}, not ${status.toString()}`,
    );
    return;
  }
  if (status !== 200) return;
  const wanted = bindings
    .map((one) => `${one.uri} ${Math.ceil((one.expiresAt - now) / 1000).toString()}`)
    .sort();
  const listed = listedIn(answer).sort();
  if (wanted.join() !== listed.join())
    problems.push(`exchange ${id.toString()}: lists ${listed.join()}, not ${wanted.join()}`);
}

function listedIn(answer: SipResponse): string[] {
  const contacts = answer.contacts();
  if (!contacts.ok || contacts.value.kind !== 'list') return [];
  return contacts.value.contacts.map(({ uriText, expires }) => `${uriText} ${String(expires)}`);
}

const printModel = (one: ModelBinding): string =>
  [one.uri, one.instance, one.regId, one.q, one.callId, one.cseq, one.registeredAt, one.expiresAt].join(' ');
const printStored = (one: Binding): string =>
  [one.contact, one.instance, one.regId, one.q, one.callId, one.cseq, one.registeredAt, one.expiresAt].join(
    ' ',
  );
