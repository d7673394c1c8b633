import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import type { Binding, BindingId } from '@rollcall/location';
import { sampleBinding } from '@rollcall/location/contract';
import { chooseType, escapeXml, messageSummary, presence, readXml, reg } from '../src/index.ts';
import type { ResourceChange } from '../src/index.ts';
import { freshResource } from '../src/contract/index.ts';
import { splitParams } from '../src/packages/contact-params.ts';
import { readPidf } from '../src/packages/pidf.ts';

const now = epochMs(1_800_000_000_000);
const resource = freshResource();

const binding = (id: string, change: Partial<Binding> = {}): Binding =>
  sampleBinding(now, {
    id: id as BindingId,
    contact: `sip:${id}@192.0.2.1`,
    expiresAt: epochMs(now + 60_000),
    ...change,
  });
const change = (id: string, kind: ResourceChange['kind']): ResourceChange => ({
  kind,
  bindingId: id as BindingId,
  contact: `sip:${id}@192.0.2.1`,
});
const located = (version: number, ...bindings: Binding[]) => ({ resource, location: { version, bindings } });

describe('reginfo, RFC 3680 §5', () => {
  const told = (version: number, ...bindings: Binding[]) =>
    reg.view(located(version, ...bindings), now).fingerprint;
  const write = (
    state: ReturnType<typeof located>,
    news?: { after: string; commits: number; changes: ResourceChange[] },
  ) => reg.view(state, now).write({ type: reg.types[0], version: 4, news });

  test('S18 partial when the changes are all that lies between', () => {
    const a = binding('a');
    const b = binding('b');
    const document = write(located(8, a, b), {
      after: told(7, a),
      commits: 1,
      changes: [change('b', 'registered')],
    });
    expect(document).toContain('version="4" state="partial"');
    expect(document.match(/<contact /g)).toHaveLength(1);
  });

  test('S18 full, with what ended in it, when a commit between is not among the changes', () => {
    const a = binding('a');
    const news = { after: told(6, a), commits: 1, changes: [change('b', 'expired')] };
    const document = write(located(8, a), news);
    expect(document).toContain('state="full"');
    expect(document).toContain('<contact id="b" state="terminated" event="expired">');
    expect(document.match(/<contact /g)).toHaveLength(2);
  });

  test.each(['registered', 'refreshed', 'shortened'] as const)(
    'S18 %s is a contact that is active',
    (kind) => {
      const news = { after: told(7, binding('a')), commits: 1, changes: [change('a', kind)] };
      expect(write(located(8, binding('a')), news)).toContain(`state="active" event="${kind}"`);
    },
  );

  test.each(['expired', 'deactivated', 'unregistered', 'rejected'] as const)(
    'S18 %s ends a contact',
    (kind) => {
      const news = { after: told(7, binding('a')), commits: 1, changes: [change('a', kind)] };
      const document = write(located(0), news);
      expect(document).toContain('state="partial"');
      expect(document).toContain(`state="terminated" event="${kind}"`);
    },
  );

  test('a contact past its expiry is not told, though the record still has it', () => {
    expect(write(located(8, binding('a', { expiresAt: now })))).toContain('state="init"');
  });

  test('RFC 8599 §13 what wakes a device is told to nobody, of contacts that come and of those that go', () => {
    const contact = 'sip:a@192.0.2.1;pn-provider=apns;pn-prid=00fc13adff78512;pn-param=ABC.com.x.voip;ob';
    const gone = { ...change('b', 'expired'), contact };
    const came = write(located(8, binding('a', { contact })));
    const news = { after: told(7, binding('b')), commits: 1, changes: [gone] };
    for (const document of [came, write(located(8), news)]) {
      expect(document).toContain('<uri>sip:a@192.0.2.1;ob</uri>');
      expect(document).not.toContain('pn-');
    }
  });

  test('F08 what phones wrote stays text', () => {
    const document = write(
      located(8, binding('a', { contact: 'sip:a&<b>"@192.0.2.1', params: ';x="a;b<c>\\"";y' })),
    );
    expect(document).toContain('<uri>sip:a&amp;&lt;b&gt;&quot;@192.0.2.1</uri>');
    expect(document).toContain(
      '<unknown-param name="x">&quot;a;b&lt;c&gt;\\&quot;&quot;</unknown-param><unknown-param name="y"></unknown-param>',
    );
    expect(readXml(document).ok).toBe(true);
  });
});

describe('PIDF, RFC 3863', () => {
  test('S13 the document is well-formed and stays the same while nothing changes', () => {
    const view = presence.view(located(1, binding('a', { q: 250 })), now);
    const later = presence.view(
      located(2, binding('a', { q: 250, refreshedAt: epochMs(now + 9) })),
      epochMs(now + 9),
    );
    expect(later.fingerprint).toBe(view.fingerprint);
    expect(readXml(view.write({ type: presence.types[0], version: 0 })).ok).toBe(true);
  });

  test('S26 a document of 60 KiB of tuples, comments or attributes is read or refused in linear time', () => {
    const root = (inner: string): string =>
      `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="x">${inner}</presence>`;
    const hostile = [
      root('<a>'.repeat(20_000)),
      root('<!--'.repeat(15_000)),
      root(`<tuple ${Array.from({ length: 5_000 }, (_, n) => `a${n}="1"`).join(' ')}/>`),
      root('&amp'.repeat(15_000)),
      root('<tuple id="x"><status/></tuple>'.repeat(2_000)),
      `<!DOCTYPE lolz [<!ENTITY lol "lol">]>${root('&lol;')}`,
    ];
    const began = performance.now();
    for (const body of hostile) expect(readPidf(body).ok).toBe(false);
    expect(performance.now() - began).toBeLessThan(500);
  });

  test('prefixes are resolved, and what extends it is kept, written anew', () => {
    const body =
      '<p:presence xmlns:p="urn:ietf:params:xml:ns:pidf" xmlns:r="urn:r" entity="x"><r:person/><p:tuple id="1"><p:status><p:basic> open </p:basic><r:busy/></p:status><p:contact priority="2">sip:a@b</p:contact></p:tuple></p:presence>';
    expect(readPidf(body)).toEqual({
      ok: true,
      value: [
        {
          kind: 'tuple',
          id: '1',
          contact: 'sip:a@b',
          device: '',
          xml: '<status><basic>open</basic><busy xmlns="urn:r"/></status><contact>sip:a@b</contact>',
        },
      ],
    });
  });
});

describe('small parts', () => {
  test('RFC 3842 counts never pass 2^32-1', () => {
    const counts = { 'voice-message': { fresh: 2 ** 40, old: -1 } };
    const body = messageSummary.view({ resource, mailbox: { counts } }, now).write({ type: '', version: 0 });
    expect(body).toContain('Voice-Message: 4294967295/0');
  });

  test('Accept: the most precise range decides, q=0 takes away', () => {
    const range = (type: string, q?: string) => ({
      type,
      params: new Map(q === undefined ? [] : [['q', q]]),
    });
    expect(chooseType(undefined, ['a/b'])).toBe('a/b');
    expect(chooseType([range('*/*'), range('a/b', '0.000')], ['a/b'])).toBeUndefined();
    expect(chooseType([range('a/*', '0'), range('a/b')], ['a/b'])).toBe('a/b');
    expect(chooseType([range('a/c')], ['a/b', 'a/c'])).toBe('a/c');
    expect(chooseType([], ['a/b'])).toBeUndefined();
  });

  test('Accept: the higher q goes first, our order where they are equal', () => {
    const range = (type: string, q?: string) => ({
      type,
      params: new Map(q === undefined ? [] : [['q', q]]),
    });
    expect(chooseType([range('a/b', '0.5'), range('a/c')], ['a/b', 'a/c'])).toBe('a/c');
    expect(chooseType([range('a/b', '0.25'), range('a/c', '0.250')], ['a/b', 'a/c'])).toBe('a/b');
    expect(chooseType([range('*/*', '0.1'), range('a/d', '0.2')], ['a/b', 'a/c', 'a/d'])).toBe('a/d');
    expect(chooseType([range('a/b', '0.9'), range('a/*')], ['a/b', 'a/c'])).toBe('a/c');
    for (const odd of ['2', '-1', 'high', ''])
      expect(chooseType([range('a/b', odd), range('a/c', '0.9')], ['a/b', 'a/c']), odd).toBe('a/b');
  });

  test('parameters split outside quotes only', () => {
    expect(splitParams(';a="x;\\";y";b=1;;c')).toEqual([
      { name: 'a', value: '"x;\\";y"' },
      { name: 'b', value: '1' },
      { name: 'c', value: '' },
    ]);
  });

  test('octets that are no UTF-8 and characters that XML forbids become U+FFFD', () => {
    const replacement = Buffer.from('\ufffd', 'utf8').toString('latin1');
    expect(escapeXml('a\u0000\u00ff')).toBe(`a${replacement}${replacement}`);
    expect(escapeXml('\u00c3\u00a9')).toBe('\u00c3\u00a9');
  });
});
