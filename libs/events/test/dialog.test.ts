import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { DIALOG_INFO, dialog, readXml } from '../src/index.ts';
import type { News, Publication } from '../src/index.ts';
import { freshResource } from '../src/contract/index.ts';

const now = epochMs(1_800_000_000_000);
const resource = freshResource();

const info = (inner: string, state = 'full'): string =>
  `<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="7" state="${state}" entity="sip:x">${inner}</dialog-info>`;
const call = (id: string, state: string, rest = ''): string =>
  `<dialog id="${id}" call-id="c-${id}" local-tag="l" remote-tag="r" direction="recipient"><state>${state}</state>${rest}</dialog>`;

function read(body: string): string {
  const packed = dialog.publication?.read(body, DIALOG_INFO);
  if (packed?.ok !== true) throw new Error(packed?.error);
  return packed.value;
}
const refused = (body: string): boolean => dialog.publication?.read(body, DIALOG_INFO).ok === false;
const update = (before: string, fresh: string): string =>
  dialog.publication?.update?.(before, read(fresh)) ?? '';

const publication = (body: string, change: Partial<Publication> = {}): Publication => ({
  etag: 'e',
  package: 'dialog',
  expiresAt: epochMs(now + 60_000),
  body,
  ...change,
});
const viewOf = (...bodies: string[]) =>
  dialog.view(
    { resource, publications: { version: 1, publications: bodies.map((body) => publication(body)) } },
    now,
  );
const newsAfter = (after: string): News => ({ after, commits: 0, changes: [] });
const write = (view: ReturnType<typeof viewOf>, version = 0, news?: News): string => {
  const body = view.write({ type: DIALOG_INFO, version, news });
  expect(readXml(body)).toMatchObject({ ok: true });
  return body;
};
const states = (body: string): string[] =>
  [...body.matchAll(/<state[^>]*>(\w+)</g)].map((match) => match[1] ?? '');

describe('dialog information, RFC 4235', () => {
  test('S17 full, with version, entity, identifiers and the own side that Polycom wants', () => {
    const body = write(
      viewOf(read(info(call('a', 'early', '<remote><identity display="Bob">sip:bob@b</identity></remote>')))),
      3,
    );
    expect(body).toContain(`version="3" state="full" entity="${resource}"`);
    expect(body).toContain(
      '<dialog id="a" call-id="c-a" local-tag="l" remote-tag="r" direction="recipient"><state>early</state>',
    );
    expect(body).toContain(`<local><identity>${resource}</identity><target uri="${resource}"/></local>`);
    expect(body).toContain('<remote><identity display="Bob">sip:bob@b</identity></remote>');
  });

  test('S17 without any dialog one is told that is over: an empty document is no news to many phones', () => {
    expect(states(write(viewOf()))).toEqual(['terminated']);
  });

  test('S17 a dialog that has gone is told once more, as terminated', () => {
    const before = viewOf(read(info(call('a', 'confirmed'))));
    const after = viewOf(read(info(call('b', 'early'))));
    expect(states(write(after, 1, newsAfter(before.fingerprint)))).toEqual(['early', 'terminated']);
    expect(write(after, 1, newsAfter(before.fingerprint))).toContain(
      '<dialog id="a"><state>terminated</state></dialog>',
    );
    expect(states(write(after, 2, newsAfter(after.fingerprint)))).toEqual(['early']);
  });

  test('a fingerprint is an entity-tag: a token', () => {
    const odd = '<dialog id="a b&lt;&#10;"><state>early</state></dialog>';
    expect(viewOf(read(info(odd + call('x', 'early')))).fingerprint).toMatch(/^[A-Za-z0-9.@+~_-]+$/);
  });

  test('S17 the same dialog told by phone and edge is one, in its later state, whoever speaks last', () => {
    const phone = read(info(call('p', 'early')).replace('c-p', 'c'));
    const edge = read(info(call('e', 'terminated')).replace('c-e', 'c'));
    expect(states(write(viewOf(phone, edge)))).toEqual(['terminated']);
    expect(states(write(viewOf(edge, phone)))).toEqual(['terminated']);
  });

  test('half-dialogs of two publishers are two, with ids that differ', () => {
    const half = read(info('<dialog id="a" call-id="c"><state>trying</state></dialog>'));
    expect(write(viewOf(half, half)).match(/<dialog id="[^"]*"/g)).toEqual([
      '<dialog id="a"',
      '<dialog id="a.2"',
    ]);
  });

  test('S17 a publisher that says late what was before is not believed', () => {
    const ended = update(read(info(call('a', 'confirmed'))), info(call('a', 'terminated')));
    const late = update(ended, info(call('a', 'early')));
    expect(states(write(viewOf(late)))).toEqual(['terminated']);
    const another = update(late, info(call('a', 'trying').replace('c-a', 'c-2')));
    expect(states(write(viewOf(another)))).toEqual(['trying']);
  });

  test('a partial document changes what it names, a full one replaces all', () => {
    const two = update(read(info(call('a', 'early'))), info(call('b', 'trying'), 'partial'));
    expect(states(write(viewOf(two)))).toEqual(['early', 'trying']);
    expect(states(write(viewOf(update(two, info(call('b', 'early'), 'partial')))))).toEqual([
      'early',
      'early',
    ]);
    expect(states(write(viewOf(update(two, info(call('b', 'early')))))).toString()).toBe('early');
  });

  test('session descriptions and durations are left out, event and code kept', () => {
    const body = info(
      '<dialog id="a"><state event="rejected" code="486">terminated</state><duration>9</duration><local><session-description type="application/sdp">v=0</session-description></local></dialog>',
    );
    const written = write(viewOf(read(body)));
    expect(written).toContain('<state event="rejected" code="486">terminated</state><local><identity>');
    expect(written).not.toContain('v=0');
  });

  test.each([
    ['another root', '<x/>'],
    ['no id', info('<dialog><state>early</state></dialog>')],
    ['no state', info('<dialog id="a"/>')],
    ['a state that is none', info('<dialog id="a"><state>ringing</state></dialog>')],
    ['one id twice', info(call('a', 'early') + call('a', 'early'))],
    ['too many', info(Array.from({ length: 65 }, (_, n) => call(`d${n}`, 'early')).join(''))],
  ])('S26 %s: refused', (_, body) => {
    expect(refused(body)).toBe(true);
  });

  test('F08 hostile identities stay text', () => {
    const evil = '&quot;&gt;&lt;/dialog&gt;&lt;x&gt;&#13;&#10;|{}';
    const inner = `<dialog id="${evil}" call-id="${evil}" local-tag="${evil}" direction="${evil}"><state event="${evil}">early</state><remote><identity display="${evil}">${evil}</identity></remote></dialog>`;
    const read_ = readXml(write(viewOf(read(info(inner)))));
    expect(read_.ok && read_.value.children.map(({ name }) => name)).toEqual(['dialog']);
  });
});
