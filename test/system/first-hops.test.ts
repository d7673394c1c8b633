import { respond, type SipRequest } from '@rollcall/sip';
import { TestSystem, token, type Account, type Phone } from '@rollcall/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNTS, freshAccount, ok, refused } from './support.ts';

/** A proxy before the edge, as operators have them. */
const PROXY = '127.0.0.7';
const OUTER = ['<sip:outer.example.test;lr>', '<sip:access.example.test;lr>'];

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start({ accounts: ACCOUNTS, env: { edge: { ROLLCALL_TRUSTED_PEERS: PROXY } } });
});
afterEach(() => system.closePhones());
afterAll(() => system.stop());

const aorOf = ({ user }: Account): string => `sip:${user}@${system.domain}`;

/** A REGISTER of a phone that came to us over another hop: that one's Via stands above the phone's. */
async function registerBehind(phone: Phone, headers: readonly string[]) {
  const send = () =>
    phone.transact(
      phone
        .build('REGISTER', { headers: [...headers, 'Expires: 600'] })
        .replace(
          '\r\nMax-Forwards',
          `\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK${token()}\r\nMax-Forwards`,
        ),
    );
  const first = await send();
  expect(first.status).toBe(401);
  phone.learn(first);
  return send();
}

describe('a phone behind another proxy', () => {
  it('B25 its Path is stored, echoed, and the route of later requests, in order', async () => {
    const account = freshAccount();
    const phone = await system.phone(account, { local: { address: PROXY } });
    const headers = [`Contact: <${phone.contact}>`, `Path: ${OUTER.join(', ')}`, 'Supported: path'];
    const answer = await ok(registerBehind(phone, headers));
    const echoed = answer.headers('path').flatMap((line) => line.split(/,\s*/));
    expect(echoed).toHaveLength(3);
    expect(echoed.slice(1)).toEqual(OUTER);

    const seen: SipRequest[] = [];
    phone.answer = (request) => {
      seen.push(request);
      return respond(request, 200, { toTag: phone.tag });
    };
    const caller = await system.phone(freshAccount());
    await ok(caller.request('OPTIONS', { uri: aorOf(account), to: `<${aorOf(account)}>` }));
    expect(seen[0]?.headers('route').flatMap((line) => line.split(/,\s*/))).toEqual(OUTER);
    expect(seen[0]?.requestUri).toBe(phone.contact);
  });

  it('B27 outbound through a first hop that does not know it is 439, demanded by the operator 421', async () => {
    const phone = await system.phone(freshAccount(), { local: { address: PROXY } });
    const device = `<${phone.contact};ob>;+sip.instance="<urn:uuid:${token()}>";reg-id=1`;
    const headers = [`Contact: ${device}`, `Path: ${OUTER[0] ?? ''}`];
    const answer = await refused(registerBehind(phone, [...headers, 'Supported: path, outbound']), 439);
    expect(answer.reason).toBe('First Hop Lacks Outbound Support');
    const path = `/v1/domains/${system.domain}`;
    expect((await system.admin.call('PUT', path, { outbound: 'required' })).status).toBeLessThan(300);
    const direct = await system.phone(freshAccount());
    const plain = { headers: [`Contact: <${direct.contact}>`, 'Supported: path'] };
    let demanded = await direct.request('REGISTER', plain);
    for (let i = 0; i < 50 && demanded.status === 200; i += 1)
      demanded = await direct.request('REGISTER', plain);
    expect(demanded.status).toBe(421);
    expect(demanded.header('require')).toBe('outbound');
  });
});
