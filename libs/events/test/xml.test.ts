import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { escapeXml, readXml, writeElement } from '../src/index.ts';

const problem = (octets: string): string => {
  const read = readXml(octets);
  return read.ok ? 'read' : read.error.detail;
};
const utf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

describe('XML of strangers', () => {
  test.each([
    [
      'XML01 an entity bomb',
      `<!DOCTYPE z [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>`,
      /document types/,
    ],
    [
      'XML02 an external entity',
      `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>`,
      /document types/,
    ],
    ['XML03 an external subset', `<!DOCTYPE x SYSTEM "http://192.0.2.1/x.dtd"><x/>`, /document types/],
    ['XML04 an entity that nobody defined', '<x>&lol;</x>', /undefined entity/],
    ['XML05 20,000 elements deep', '<a>'.repeat(20_000), /nested too deep/],
    [
      'XML06 a flood of attributes',
      `<x ${Array.from({ length: 5_000 }, (_, n) => `a${n}="1"`).join(' ')}/>`,
      /too many attributes/,
    ],
    ['XML07 one attribute twice', '<x a="1" a="2"/>', /duplicate/],
    [
      'XML07 one attribute twice, by two prefixes',
      '<x xmlns:a="u" xmlns:b="u" a:c="1" b:c="2"/>',
      /duplicate/,
    ],
    ['XML09 UTF-16', Buffer.from('\ufeff<x/>', 'utf16le').toString('latin1'), /not in UTF-8/],
    ['XML09 UTF-16 by its declaration', '<?xml version="1.0" encoding="UTF-16"?><x/>', /encoding/],
    ['XML09 octets that are no UTF-8', '<x>\u00ff\u00fe</x>', /not in UTF-8/],
    [
      'XML12 a processing instruction',
      '<?xml-stylesheet href="http://192.0.2.1"?><x/>',
      /processing instructions/,
    ],
    ['XML13 a control character', '<x>\u0001</x>', /disallowed/],
    ['XML13 a reference to one', '<x>&#0;</x>', /character entity/],
    ['an undeclared prefix', '<a:x/>', /unbound/],
    ['two roots', '<x/><y/>', /./],
    ['an end that is missing', '<x><y></x>', /./],
    ['nothing', '', /./],
  ])('S26 %s is refused', (_, octets, detail) => {
    expect(problem(octets)).toMatch(detail);
  });

  test('S26 XML10 CDATA is text and comes out escaped', () => {
    const read = readXml('<x><![CDATA[<script>alert(1)</script>]]></x>');
    expect(read.ok && writeElement(read.value, { space: '', prefixes: new Map() })).toBe(
      '<x>&lt;script&gt;alert(1)&lt;/script&gt;</x>',
    );
  });

  test('S26 XML11 names that a program might trip over are names', () => {
    const read = readXml('<__proto__ constructor="a" __proto__="b"><toString/>&amp;</__proto__>');
    expect(read.ok && [read.value.name, [...read.value.attributes], read.value.children[0]?.name]).toEqual([
      '__proto__',
      [
        ['constructor', 'a'],
        ['__proto__', 'b'],
      ],
      'toString',
    ]);
  });

  test('ISO-8859-1 is read where it is declared, as phones of BroadSoft do; what comes out is UTF-8', () => {
    const read = readXml('<?xml version="1.0" encoding="ISO-8859-1"?><x>J\u00f6rg</x>');
    expect(read.ok && read.value.text).toBe(utf8('Jörg'));
  });

  test('a byte order mark, comments, prefixes and UTF-8 are read', () => {
    const read = readXml(
      utf8('\ufeff<?xml version="1.0"?><!-- c --><a:x xmlns:a="urn:ä" b="ß"> ü <!-- d --></a:x><!-- e -->'),
    );
    expect(
      read.ok && [read.value.space, read.value.name, read.value.attributes.get('b'), read.value.text],
    ).toEqual([utf8('urn:ä'), 'x', utf8('ß'), utf8(' ü ')]);
  });

  test('S26 60 KiB of anything is read or refused in linear time', () => {
    const inputs = [
      '<'.repeat(60_000),
      '<a '.repeat(20_000),
      `<a>${'&amp;'.repeat(12_000)}</a>`,
      `<a>${'&'.repeat(60_000)}</a>`,
      `<a>${'<!--'.repeat(15_000)}</a>`,
      `<a>${'<b/>'.repeat(15_000)}</a>`,
      `<a b="${'&quot;'.repeat(10_000)}"/>`,
      `<a>${']]>'.repeat(20_000)}</a>`,
      `<a><![CDATA[${']'.repeat(60_000)}</a>`,
      `<!DOCTYPE a [${'<!ENTITY a "b">'.repeat(4_000)}]><a/>`,
      `<${'a'.repeat(60_000)}/>`,
      ' '.repeat(60_000),
    ];
    const began = performance.now();
    for (const input of inputs) readXml(input);
    // Squared it would be minutes; a busy machine takes seconds.
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  test('F08 what is written anew is read as the same, whatever was in it', () => {
    const text = fc.string({
      unit: fc.constantFrom('<', '>', '&', '"', "'", '\r', '\n', '\t', ']]>', 'a', 'ä', '😀', ' ', '{', '|'),
    });
    fc.assert(
      fc.property(text, text, text, (a, b, c) => {
        const octets = `<p:x xmlns:p="urn:p" xmlns:q="urn:q" a="${escapeXml(utf8(a))}" q:b="${escapeXml(utf8(b))}"><y/>${escapeXml(utf8(c))}.</p:x>`;
        const read = readXml(octets);
        if (!read.ok) throw new Error(read.error.detail);
        const written = writeElement(read.value, { space: 'urn:other', prefixes: new Map([['urn:q', 'z']]) });
        expect(written).not.toMatch(/[\r\n\t]/);
        const again = readXml(`<root xmlns="urn:other" xmlns:z="urn:q">${written}</root>`);
        expect(again.ok && again.value.children[0]).toEqual(read.value);
      }),
    );
  });
});
