import type {
  AnswerExpected,
  RegisterFields,
  Scenario,
  ScenarioBinding,
  ScenarioStep,
  ScenarioWorld,
} from './scenario.ts';

/** An answer as it came. */
export interface ScenarioAnswer {
  readonly status: number;
  /** Row of the refusal table, where the driver can know it; else `refused …` compares the status alone. */
  readonly refusal?: string;
  /** Values of a header field (lower-case name), one for each member of a list. */
  header(name: string): readonly string[];
}

/** What a scenario is played on: the pure core, a service in process, or the wire. */
export interface ScenarioDriver {
  /** Makes the world. A reason when this driver cannot: the scenario is then skipped. */
  begin(world: ScenarioWorld): Promise<string | undefined>;
  /** Puts a binding into the store, or registers it. */
  given(aor: string, binding: ScenarioBinding): Promise<void>;
  /** Goes on to so many seconds after `begin`. */
  at(seconds: number): Promise<void>;
  register(fields: RegisterFields): Promise<ScenarioAnswer>;
  /** The status of a row of the refusal table. */
  statusOf(refusal: string): number | undefined;
  /** What the store holds and has not expired. */
  bindings(aor: string): Promise<readonly ScenarioBinding[]>;
  end(): Promise<void>;
}

export interface ScenarioReport {
  /** Why it was not played. */
  readonly skipped?: string;
  /** What was not as expected, each with its line. */
  readonly failures: readonly string[];
}

/** Plays one scenario to its end, whatever fails on the way. */
export async function runScenario(scenario: Scenario, driver: ScenarioDriver): Promise<ScenarioReport> {
  const skipped = await driver.begin(scenario.world);
  if (skipped !== undefined) return { skipped, failures: [] };
  const failures: string[] = [];
  let answer: ScenarioAnswer | undefined;
  try {
    for (const step of scenario.steps) {
      if (step.kind === 'register') {
        await driver.at(step.at);
        answer = await driver.register(step.fields);
      } else {
        const problems = await check(step, answer, driver);
        failures.push(...problems.map((problem) => `line ${step.line.toString()}: ${problem}`));
      }
    }
  } finally {
    await driver.end();
  }
  return { failures };
}

async function check(
  step: Exclude<ScenarioStep, { kind: 'register' }>,
  answer: ScenarioAnswer | undefined,
  driver: ScenarioDriver,
): Promise<readonly string[]> {
  switch (step.kind) {
    case 'given':
      await driver.given(step.aor, step.binding);
      return [];
    case 'answer':
      return answer === undefined
        ? ['an answer before a request']
        : compareAnswer(step.expected, answer, driver);
    case 'then':
      await driver.at(step.at);
      return compareBindings(step.bindings, await driver.bindings(step.aor));
  }
}

function compareAnswer(expected: AnswerExpected, answer: ScenarioAnswer, driver: ScenarioDriver): string[] {
  const problems = compareStatus(expected.status, answer, driver);
  const listed = answer.header('contact');
  if (expected.count !== undefined && listed.length !== expected.count) {
    problems.push(`${listed.length.toString()} contacts: ${listed.join(' , ')}`);
  }
  for (const contact of expected.contacts) {
    if (!listed.some((one) => contactFits(contact, one))) {
      problems.push(`no contact like ${contact} among ${listed.join(' , ')}`);
    }
  }
  for (const { name, value } of expected.headers) {
    const values = answer.header(name);
    const fits =
      value === 'absent'
        ? values.length === 0
        : value === 'present'
          ? values.length > 0
          : values.includes(value);
    if (!fits) problems.push(`${name} is ${values.join(' , ') || 'absent'}, not ${value}`);
  }
  return problems;
}

function compareStatus(
  expected: AnswerExpected['status'],
  answer: ScenarioAnswer,
  driver: ScenarioDriver,
): string[] {
  const got = `${answer.status.toString()}${answer.refusal === undefined ? '' : ` ${answer.refusal}`}`;
  if (typeof expected === 'number') {
    return answer.status === expected ? [] : [`answered ${got}, not ${expected.toString()}`];
  }
  const status = driver.statusOf(expected.refused);
  const fits = status === answer.status && (answer.refusal ?? expected.refused) === expected.refused;
  return fits ? [] : [`answered ${got}, not ${status?.toString() ?? '?'} ${expected.refused}`];
}

/**
 * URI octet for octet; of the parameters those that are expected, in any order. `name=*` is one with any value, `!name` one that must
 * not be there.
 */
function contactFits(expected: string, listed: string): boolean {
  const wanted = splitContact(expected);
  const got = splitContact(listed);
  if (wanted.uri !== got.uri) return false;
  return wanted.params.every((param) => paramFits(param, got.params));
}

function paramFits(param: string, got: readonly string[]): boolean {
  if (param.startsWith('!'))
    return !got.some((one) => one === param.slice(1) || one.startsWith(`${param.slice(1)}=`));
  if (param.endsWith('=*')) return got.some((one) => one.startsWith(param.slice(0, -1)));
  if (!param.startsWith('expires=')) return got.includes(param);
  return got.some((one) => one.startsWith('expires=') && near(numberOf(param), numberOf(one)));
}

const numberOf = (param: string): number => Number(param.slice(param.indexOf('=') + 1));
const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1;

function splitContact(contact: string): { uri: string; params: string[] } {
  const end = contact.indexOf('>');
  return {
    uri: contact.slice(0, end + 1),
    params: contact
      .slice(end + 1)
      .split(/;(?=(?:[^"]*"[^"]*")*[^"]*$)/)
      .map((param) => param.trim())
      .filter((param) => param !== ''),
  };
}

function compareBindings(expected: readonly ScenarioBinding[], stored: readonly ScenarioBinding[]): string[] {
  const shown = stored
    .map((binding) => `<${binding.contact}> expires +${binding.expires?.toString() ?? '?'}`)
    .join(', ');
  if (expected.length !== stored.length) return [`stored is ${shown || 'nothing'}`];
  return expected
    .filter((binding) => !stored.some((one) => bindingFits(binding, one)))
    .map((binding) => `no binding like <${binding.contact}> among ${shown}`);
}

function bindingFits(expected: ScenarioBinding, stored: ScenarioBinding): boolean {
  return (
    expected.contact === stored.contact &&
    (expected.expires === undefined ||
      stored.expires === undefined ||
      near(expected.expires, stored.expires)) &&
    (expected.callId === undefined || stored.callId === undefined || expected.callId === stored.callId) &&
    (expected.cseq === undefined || stored.cseq === undefined || expected.cseq === stored.cseq)
  );
}
