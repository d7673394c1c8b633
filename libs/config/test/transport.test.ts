import { describe, expect, it } from 'vitest';
import { certificate, listener, listeners, network } from '../src/index.ts';

describe('listeners', () => {
  const field = listeners();
  it.each([
    ['0.0.0.0:5060', [{ host: '0.0.0.0', port: 5060 }]],
    ['off', []],
    [
      '10.0.0.1:5061/sip.example.com, [::1]:0',
      [
        { host: '10.0.0.1', port: 5061, advertised: { address: 'sip.example.com', port: 5061 } },
        { host: '::1', port: 0 },
      ],
    ],
    [
      '[::]:5060/[2001:db8::1]:5070/198.51.100.1',
      [
        {
          host: '::',
          port: 5060,
          advertised: { address: '2001:db8::1', port: 5070 },
          advertisedIPv4: { address: '198.51.100.1', port: 5060 },
        },
      ],
    ],
  ])('%s', (text, value) => {
    const parsed = field.parse(text);
    expect(parsed).toEqual({ ok: true, value });
    if (parsed.ok) expect(field.parse(field.print(parsed.value))).toEqual(parsed);
  });

  it.each(['', '5060', 'a:b', '[::]:5060/', '[::]:1/a/[::1]', 'a:1/b/c/d', 'on'])('"%s" is none', (text) => {
    expect(listeners().parse(text).ok).toBe(false);
    expect(listener().parse('off').ok).toBe(false);
  });
});

describe('certificates', () => {
  it.each([
    ['/etc/a.pem:/etc/a.key', { certificate: '/etc/a.pem', key: '/etc/a.key' }],
    ['/etc/tls', { certificate: '/etc/tls/tls.crt', key: '/etc/tls/tls.key' }],
    ['/etc/tls/', { certificate: '/etc/tls/tls.crt', key: '/etc/tls/tls.key' }],
  ])('%s', (text, value) => {
    expect(certificate().parse(text)).toEqual({ ok: true, value });
    expect(certificate().parse(certificate().print(value))).toEqual({ ok: true, value });
  });
  it.each(['', ':', 'a:', ':b', 'a:b:c'])('"%s" is none', (text) => {
    expect(certificate().parse(text).ok).toBe(false);
  });
});

describe('networks (RFC 4632)', () => {
  it.each(['192.0.2.1', '192.0.2.0/24', '0.0.0.0/0', '2001:db8::/32', '::1'])('%s', (text) => {
    expect(network().parse(text)).toEqual({ ok: true, value: text });
  });
  it.each([
    '',
    'a',
    '192.0.2.0/33',
    '192.0.2/24',
    '2001:db8::/129',
    '192.0.2.0/24/8',
    '192.0.2.0/-1',
    '192.0.2.0/',
  ])('"%s" is none', (text) => {
    expect(network().parse(text).ok).toBe(false);
  });
});
