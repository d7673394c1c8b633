import type { SipResponse } from '@rollcall/sip';
import { ALICE, BOB, CAROL, type Account, type Phone, type TestSystem } from '@rollcall/testkit';
import { expect } from 'vitest';

export const TRANSPORTS = ['udp', 'tcp'] as const;

/** Accounts for tests that each want a user of their own. */
export const POOL: readonly Account[] = Array.from({ length: 150 }, (_, index) => ({
  user: `t${String(index + 1).padStart(3, '0')}`,
  password: `secret-${index + 1}`,
}));
export const ACCOUNTS = [ALICE, BOB, CAROL, ...POOL];
let taken = 0;

/** A user that no other test has. */
export function freshAccount(): Account {
  const account = POOL[taken++];
  if (account === undefined) throw new Error('the pool of accounts is empty: make it larger');
  return account;
}

/** A Contact as a 200 to REGISTER lists it. */
export interface ListedContact {
  readonly uri: string;
  readonly expires: number;
  readonly q: number | undefined;
  readonly params: string;
  readonly text: string;
}

/** The Contacts of an answer. */
export function contactsOf(response: SipResponse): ListedContact[] {
  const contacts = response.contacts();
  if (!contacts.ok) throw new Error(`Contact does not parse: ${contacts.error.detail}`);
  if (contacts.value.kind !== 'list') return [];
  return contacts.value.contacts.map((one) => ({
    uri: one.uriText,
    expires: one.expires ?? -1,
    q: one.q,
    params: one.paramsText,
    text: one.text,
  }));
}

export const urisOf = (response: SipResponse): string[] =>
  contactsOf(response)
    .map((one) => one.uri)
    .sort();

/** Store and REST must agree with what the wire promised, remaining seconds within 1 (invariant 3). */
export async function expectEverywhere(
  system: TestSystem,
  phone: Phone,
  uris: readonly string[],
): Promise<void> {
  const wire = contactsOf(await ok(phone.request('REGISTER')));
  expect(wire.map((one) => one.uri).sort()).toEqual([...uris].sort());
  const shown = await system.admin.bindings(phone.aor);
  expect(shown.map((one) => one.contact).sort()).toEqual([...uris].sort());
  for (const one of wire) {
    const rest = shown.find((other) => other.contact === one.uri);
    expect(Math.abs((rest?.expires ?? -99) - one.expires)).toBeLessThanOrEqual(1);
  }
}

/** The answer, which must be a 200. */
export async function ok(answer: Promise<SipResponse>): Promise<SipResponse> {
  const response = await answer;
  expect(`${response.status} ${response.reason}`).toBe('200 OK');
  return response;
}

/** The answer, which must have this status. */
export async function refused(answer: Promise<SipResponse>, status: number): Promise<SipResponse> {
  const response = await answer;
  expect(`${response.status} (${response.reason})`).toBe(`${status} (${response.reason})`);
  return response;
}

export const contactLine = (...contacts: string[]): string => `Contact: ${contacts.join(', ')}`;
