import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import type { Binding, BindingId } from '@rollcall/location';
import { sampleBinding } from '@rollcall/location/contract';
import { CPIM_PIDF, PIDF, XPIDF, presence, readXml } from '../src/index.ts';
import type { Publication, ResourceState } from '../src/index.ts';
import { freshResource } from '../src/contract/index.ts';

const now = epochMs(1_800_000_000_000);
const resource = freshResource();
const NAMESPACES =
  'xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid"';

const binding = (id: string, change: Partial<Binding> = {}): Binding =>
  sampleBinding(now, {
    id: id as BindingId,
    contact: `sip:${id}@192.0.2.1`,
    expiresAt: epochMs(now + 60_000),
    ...change,
  });

function published(inner: string, change: Partial<Publication> = {}): Publication {
  const read = presence.publication?.read(
    `<presence ${NAMESPACES} entity="pres:x">${inner}</presence>`,
    PIDF,
  );
  if (read?.ok !== true) throw new Error(read?.error);
  return { etag: 'e', package: 'presence', expiresAt: epochMs(now + 60_000), body: read.value, ...change };
}

function composed(
  publications: readonly Publication[],
  bindings: readonly Binding[] = [],
  type = PIDF,
): string {
  const state: ResourceState = {
    resource,
    location: { version: 1, bindings },
    publications: { version: 1, publications },
  };
  const body = presence.view(state, now).write({ type, version: 0 });
  if (type !== XPIDF) expect(readXml(body)).toMatchObject({ ok: true });
  return body;
}

const tuple = (id: string, basic: string, rest = ''): string =>
  `<tuple id="${id}"><status><basic>${basic}</basic></status>${rest}</tuple>`;

describe('composition of presence (docs/presence-composition.md)', () => {
  test('S16 tuples of all publishers, with ids that are unique; expired ones are gone', () => {
    const body = composed([
      published(tuple('t', 'open')),
      published(tuple('t', 'closed')),
      published(tuple('t', 'open'), { expiresAt: now }),
      published(tuple('t', 'open'), { package: 'dialog' }),
    ]);
    expect(body.match(/<tuple id="[^"]*"/g)).toEqual(['<tuple id="t"', '<tuple id="t.2"']);
  });

  test('S13 a tuple for each registered device, flows of one device together', () => {
    const bindings = [
      binding('a', { instance: '<urn:uuid:1>' }),
      binding('b', { instance: '<urn:uuid:1>' }),
      binding('c'),
    ];
    const body = composed([], bindings);
    expect(body.match(/<basic>open<\/basic>/g)).toHaveLength(2);
    expect(body).toContain(`<contact>${resource}</contact>`);
    expect(body).not.toContain('192.0.2.1');
  });

  test('a publication that names no device speaks for the user: registrations add nothing', () => {
    const body = composed(
      [published(tuple('t', 'closed', `<contact>${resource}</contact>`))],
      [binding('a')],
    );
    expect(body).not.toContain('open');
  });

  test.each([
    ['its contact', '<contact>sip:a@192.0.2.1</contact>'],
    ['its device id', '<dm:deviceID>urn:uuid:A</dm:deviceID>'],
  ])('a publication that names a device by %s speaks for that one; the others are shown', (_, rest) => {
    const bindings = [binding('a', { instance: '<urn:uuid:a>' }), binding('b')];
    const body = composed([published(tuple('t', 'closed', rest))], bindings);
    expect(body.match(/<basic>(open|closed)<\/basic>/g)).toEqual([
      '<basic>closed</basic>',
      '<basic>open</basic>',
    ]);
  });

  test('a publication of a person alone leaves the registrations as they are', () => {
    const person = '<dm:person id="p"><r:activities><r:busy/></r:activities></dm:person>';
    const body = composed([published(person)], [binding('a')]);
    expect(body).toContain('<basic>open</basic>');
    expect(body).toContain(
      '<dm:person id="person"><rpid:activities><rpid:busy/></rpid:activities></dm:person>',
    );
    expect(body).toContain('xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"');
  });

  test('RFC 4479 one person: of each element the word said last, all notes', () => {
    const at = (hour: string): string => `<dm:timestamp>2026-01-31T${hour}:00:00Z</dm:timestamp>`;
    const body = composed([
      published(
        `<dm:person id="p"><r:activities><r:busy/></r:activities><r:mood><r:happy/></r:mood><dm:note>one</dm:note>${at('12')}</dm:person>`,
      ),
      published(
        `<dm:person id="q"><r:activities><r:away/></r:activities><dm:note>two</dm:note>${at('11')}</dm:person>`,
      ),
    ]);
    expect(body.match(/<dm:person /g)).toHaveLength(1);
    expect(body).toContain('<rpid:busy/>');
    expect(body).not.toContain('<rpid:away/>');
    expect(body).toContain('<rpid:happy/>');
    expect(body).toContain(
      '<dm:note>one</dm:note><dm:note>two</dm:note><dm:timestamp>2026-01-31T12:00:00Z</dm:timestamp>',
    );
  });

  test('RFC 4479 devices by their device id, the last word stands', () => {
    const device = (id: string, note: string): string =>
      `<dm:device id="${id}"><dm:deviceID>urn:uuid:1</dm:deviceID><dm:note>${note}</dm:note></dm:device>`;
    const body = composed([published(device('x', 'first')), published(device('x', 'second'))]);
    expect(body.match(/<dm:device /g)).toHaveLength(1);
    expect(body).toContain('second');
  });

  test('extensions of every namespace are kept inside what they extend', () => {
    const status =
      '<tuple id="t"><status><basic>open</basic><l:online xmlns:l="urn:l" l:a="1"/></status></tuple>';
    expect(composed([published(status)])).toContain(
      '<status><basic>open</basic><online xmlns="urn:l" xmlns:a0="urn:l" a0:a="1"/></status>',
    );
  });

  test('P4 the published entity is not compared, and ours is told', () => {
    expect(composed([published(tuple('t', 'open'))])).toContain(`entity="${resource}"`);
  });

  test('P10 cpim-pidf is PIDF under its old name', () => {
    expect(composed([], [binding('a')], CPIM_PIDF)).toBe(composed([], [binding('a')], PIDF));
  });

  test.each([
    [[], [], 'closed', 'offline'],
    [[], [binding('a')], 'open', 'online'],
    [
      [published('<dm:person id="p"><r:activities><r:on-the-phone/></r:activities></dm:person>')],
      [binding('a')],
      'inuse',
      'onthephone',
    ],
  ])('S13 xpidf %#: %s', (publications, bindings, status, substatus) => {
    const body = composed(publications, bindings, XPIDF);
    expect(body).toContain(`<status status="${status}" />\r\n<msnsubstatus substatus="${substatus}" />`);
    expect(body).toContain(`<presentity uri="${resource};method=SUBSCRIBE" />`);
  });

  test('F08 hostile notes, contacts and names stay text', () => {
    const evil = '&lt;/note&gt;&lt;!DOCTYPE x&gt;&quot;&apos;]]&gt;{}|&#13;&#10;';
    const body = composed([
      published(
        `<tuple id="${evil}"><status><basic>open</basic></status><contact>${evil}</contact><note xml:lang="${evil}">${evil}</note></tuple>` +
          `<note>${evil}</note><dm:person id="${evil}"><dm:note>${evil}</dm:note></dm:person><dm:device id="${evil}"><dm:deviceID>${evil}</dm:deviceID></dm:device>`,
      ),
    ]);
    const read = readXml(body);
    const names = read.ok ? read.value.children.map(({ name }) => name) : [];
    expect(names).toEqual(['tuple', 'note', 'person', 'device']);
    expect(body).not.toContain('<!DOCTYPE');
  });
});
