import { describe, expect, test } from 'vitest';
import { parseUri } from '@rollcall/sip';
import {
  canWake,
  DEFAULT_POLICY,
  effectivePolicy,
  policySettings,
  pushParams,
  samePush,
  withoutPush,
} from '../src/index.ts';
import type { Domain } from '../src/index.ts';

describe('the policy in force', () => {
  test('A05 the user overrides the domain, the domain the deployment', () => {
    const domain: Domain = { name: 'example.test', realm: 'x', maxContacts: 3, onLimit: 'replace' };
    const policy = effectivePolicy(DEFAULT_POLICY, domain, { maxContacts: 1, transports: ['tls'] });
    expect(policy).toEqual({ ...DEFAULT_POLICY, maxContacts: 1, onLimit: 'replace', transports: ['tls'] });
    expect(effectivePolicy(DEFAULT_POLICY)).toEqual(DEFAULT_POLICY);
  });

  test('intervals that contradict each other give way in a fixed order', () => {
    const policy = effectivePolicy(
      DEFAULT_POLICY,
      { minExpires: 9000, defaultExpires: 60 },
      { maxExpires: 300 },
    );
    expect(policy).toMatchObject({ minExpires: 9000, defaultExpires: 9000, maxExpires: 9000 });
  });

  test('only settings are taken, and only those that are set', () => {
    const domain: Domain = { name: 'example.test', aliases: ['x'], path: 'strict' };
    expect(policySettings(domain)).toEqual({ path: 'strict' });
  });
});

describe('push parameters (RFC 8599)', () => {
  const read = (text: string): ReturnType<typeof pushParams> => {
    const uri = parseUri(text);
    return uri.ok && uri.value.kind === 'sip' ? pushParams(uri.value) : undefined;
  };

  test('are read from the Contact URI', () => {
    expect(read('sip:a@192.0.2.1;pn-provider=apns;pn-prid=00fc13ad;pn-param=ABC.com.x.voip')).toEqual({
      provider: 'apns',
      prid: '00fc13ad',
      param: 'ABC.com.x.voip',
    });
    expect(read('sip:a@192.0.2.1;pn-provider')).toEqual({ provider: '' });
    expect(read('sip:a@192.0.2.1')).toBeUndefined();
  });

  test('say whether the device can be woken (§10 to §12)', () => {
    expect(canWake({ provider: 'apns', prid: 'x', param: 'y' })).toBe(true);
    expect(canWake({ provider: 'apns', prid: 'x' })).toBe(false);
    expect(canWake({ provider: 'webpush', prid: 'x' })).toBe(true);
    expect(canWake({ provider: 'webpush' })).toBe(false);
  });

  test('decide whether two Contacts are of one registration (§5.3), and are kept from others', () => {
    const one = 'sip:a@192.0.2.1:5060;pn-provider=fcm;pn-prid=k1;pn-param=p;ob';
    expect(samePush(one, 'sip:a@198.51.100.7:999;pn-param=p;pn-prid=k1;pn-provider=fcm')).toBe(true);
    expect(samePush(one, one.replace('k1', 'k2'))).toBe(false);
    expect(samePush(one, 'sip:a@192.0.2.1:5060;ob')).toBe(false);
    expect(samePush('sip:a@192.0.2.1', 'sip:a@192.0.2.1')).toBe(false);
    expect(withoutPush(one)).toBe('sip:a@192.0.2.1:5060;ob');
  });
});
