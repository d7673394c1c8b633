import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseUri } from '@rollcall/sip';
import { aorDomain, aorUser, canonicalAor, parseAor } from '../src/index.ts';
import type { Aor, AorOptions } from '../src/index.ts';

const check = (text: string, expected: string, options: AorOptions = {}): void => {
  const uri = parseUri(text);
  if (!uri.ok) throw new Error(`${text} does not parse`);
  expect(canonicalAor(uri.value, options)).toEqual({ ok: true, value: expected });
};

describe('R13 one canonical AoR for all spellings of it (RFC 3261 §10.3 step 5)', () => {
  test.each([
    ['sip:alice@example.test', 'sip:alice@example.test'],
    ['SIP:alice@EXAMPLE.Test', 'sip:alice@example.test'],
    ['sips:alice@example.test', 'sip:alice@example.test'],
    ['sip:%61lice@example.test', 'sip:alice@example.test'],
    ['sip:alice:secret@example.test;transport=TCP;lr?subject=x', 'sip:alice@example.test'],
    ['sip:alice@example.test:5060', 'sip:alice@example.test'],
    ['sip:alice@example.test.', 'sip:alice@example.test'],
    ['sip:alice%40work@example.test', 'sip:alice%40work@example.test'],
    ['sip:al%3aice%c3%a4@example.test', 'sip:al%3Aice%C3%A4@example.test'],
    ['sip:a%2Bb%3bc@example.test', 'sip:a+b;c@example.test'],
    ['sip:alice@[2001:DB8:0:0::1]', 'sip:alice@[2001:db8::1]'],
  ])('%s is %s', (text, expected) => {
    check(text, expected);
  });

  test('the user part is case-sensitive', () => {
    check('sip:Alice@example.test', 'sip:Alice@example.test');
  });

  test('another name of a domain is that domain', () => {
    const domainAliases = new Map([['sip.example.test', 'example.test']]);
    check('sip:alice@SIP.example.test', 'sip:alice@example.test', { domainAliases });
  });

  test('RFC 3856 §4: presence of a pres URI is that of the sip URI', () => {
    check('pres:%61lice@EXAMPLE.test', 'sip:alice@example.test');
    check('PRES:alice@example.test', 'sip:alice@example.test');
    expect(parseAor('pres:example.test')).toMatchObject({ ok: false });
  });

  test('no user, another scheme: no AoR', () => {
    expect(parseAor('sip:example.test')).toMatchObject({ ok: false, error: { code: 'no-user' } });
    expect(parseAor('mailto:alice@example.test')).toMatchObject({ ok: false, error: { code: 'scheme' } });
    expect(parseAor('sip:alice@exa mple')).toMatchObject({ ok: false, error: { code: 'not-a-uri' } });
  });

  test('it is a fixed point: the AoR of an AoR is itself', () => {
    const user = fc.string({
      unit: fc.constantFrom(...Array.from("abzAZ059-_.!~*'()&=+$,;?/")),
      minLength: 1,
      maxLength: 20,
    });
    const escape = fc.nat(255).map((octet) => `%${octet.toString(16).padStart(2, '0')}`);
    fc.assert(
      fc.property(fc.array(fc.oneof(user, escape), { minLength: 1, maxLength: 5 }), (parts) => {
        const first = parseAor(`sip:${parts.join('')}@Example.TEST`);
        if (!first.ok) throw new Error(`${parts.join('')}: ${first.error.detail}`);
        expect(parseAor(first.value)).toEqual(first);
        expect(aorDomain(first.value)).toBe('example.test');
      }),
    );
  });
});

describe('R14 a telephone number is one AoR (RFC 3966 §5.1.1)', () => {
  const telDomain = 'example.test';
  test.each([
    ['tel:+1-555-1234', 'sip:+15551234@example.test'],
    ['tel:+1(555)12.34', 'sip:+15551234@example.test'],
    ['sip:+15551234@example.test;user=phone', 'sip:+15551234@example.test'],
    ['sip:+1-555-1234@example.test;user=phone', 'sip:+15551234@example.test'],
    ['sip:+1-555-1234@example.test', 'sip:+15551234@example.test'],
    ['tel:555-1234;phone-context=example.test', 'sip:5551234@example.test'],
    ['tel:555-1234;phone-context=+1-914', 'sip:5551234;phone-context=+1914@example.test'],
    ['tel:+1555;EXT=12-3;isub=9;foo=bar', 'sip:+1555;isub=9;ext=123@example.test'],
    ['sip:555-1234@example.test;user=phone', 'sip:5551234@example.test'],
  ])('%s is %s', (text, expected) => {
    check(text, expected, { telDomain });
  });

  test('without a home a tel URI stays one', () => {
    check('tel:+1-555-1234', 'tel:+15551234');
    expect(aorDomain('tel:+15551234' as Aor)).toBeUndefined();
    expect(aorUser('tel:+15551234' as Aor)).toBe('+15551234');
  });

  test('a name is not a number, even with user=phone', () => {
    check('sip:john.smith@example.test;user=phone', 'sip:john.smith@example.test');
    check('sip:555-1234@example.test', 'sip:555-1234@example.test');
  });
});

describe('an AoR as people write it', () => {
  test('the scheme may be left out', () => {
    expect(parseAor(' alice@Example.test ')).toEqual({ ok: true, value: 'sip:alice@example.test' });
    expect(parseAor('tel:+1-555')).toEqual({ ok: true, value: 'tel:+1555' });
  });

  test('its parts', () => {
    const aor = parseAor('sip:al%40ice@example.test');
    expect(aor.ok && [aorUser(aor.value), aorDomain(aor.value)]).toEqual(['al%40ice', 'example.test']);
  });
});
