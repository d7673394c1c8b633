import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import { decideCommand, features, messageSummary, readXml, uaProfile } from '../src/index.ts';
import type { News, PublicationSet } from '../src/index.ts';
import { freshResource } from '../src/contract/index.ts';

const now = epochMs(1_800_000_000_000);
const resource = freshResource();
const CSTA = 'http://www.ecma-international.org/standards/ecma-323/csta/ed3';

describe('feature keys', () => {
  const document = (name: string, inner: string): string =>
    `<?xml version="1.0" encoding="ISO-8859-1"?><${name} xmlns="${CSTA}"><device/>${inner}</${name}>`;
  const dnd = (on: boolean): string => document('SetDoNotDisturb', `<doNotDisturbOn>${on}</doNotDisturbOn>`);
  const forward = (type: string, on: boolean, to: string, rings = ''): string =>
    document(
      'SetForwarding',
      `<forwardingType>${type}</forwardingType><activateForward>${on}</activateForward><forwardDN>${to}</forwardDN>${rings}`,
    );

  function after(...bodies: string[]): PublicationSet {
    let set: PublicationSet = { version: 1, publications: [] };
    for (const body of bodies) {
      const command = features.command?.read(body);
      if (command?.ok !== true) throw new Error(command?.error);
      set = { version: 1, publications: decideCommand(features.name, command.value, set).publications };
    }
    return set;
  }
  const viewOf = (...bodies: string[]) => features.view({ resource, publications: after(...bodies) }, now);
  const request = (news?: News) => ({ type: features.types[0], version: 0, news });

  test('S21 nothing was ever set: do-not-disturb is off, one document', () => {
    const view = viewOf();
    expect(view.contentType?.(request())).toBe('application/x-as-feature-event+xml');
    expect(view.write(request())).toContain(
      `<DoNotDisturbEvent xmlns="${CSTA}"><device>${resource}</device><doNotDisturbOn>false</doNotDisturbOn>`,
    );
  });

  test('S21 several features are parts of one body, each a document', () => {
    const view = viewOf(dnd(true), forward('forwardNoAns', true, '2002', '<ringCount>4</ringCount>'));
    expect(view.contentType?.(request())).toBe('multipart/mixed;boundary="rollcall-features"');
    const parts = view.write(request()).split('--rollcall-features');
    expect(parts).toHaveLength(4);
    expect(parts[1]).toContain('<doNotDisturbOn>true</doNotDisturbOn>');
    expect(parts[2]).toContain(
      '<forwardingType>forwardNoAns</forwardingType><forwardStatus>true</forwardStatus><forwardTo>2002</forwardTo><ringCount>4</ringCount>',
    );
    for (const part of parts.slice(1, 3)) expect(readXml(part.slice(part.indexOf('<')).trim()).ok).toBe(true);
  });

  test('S21 after a change of one feature that one alone is told', () => {
    const forwarding = forward('forwardImmediate', true, '2002');
    const before = viewOf(dnd(false), forwarding);
    const view = viewOf(dnd(true), forwarding);
    const news = { after: before.fingerprint, commits: 0, changes: [] };
    expect(view.write(request(news))).toMatch(/^<\?xml[^]*<DoNotDisturbEvent/);
    expect(view.contentType?.(request(news))).toBe('application/x-as-feature-event+xml');
  });

  test('a forwarding that is switched off keeps its number', () => {
    const view = viewOf(forward('forwardBusy', true, '2002'), forward('forwardBusy', false, ''));
    expect(view.write(request())).toContain(
      '<forwardStatus>false</forwardStatus><forwardTo>2002</forwardTo>',
    );
  });

  test('the same command again is no change, and publications of others stay', () => {
    const command = features.command?.read(dnd(true));
    if (command?.ok !== true) throw new Error('refused');
    const other = { etag: 'e', package: 'presence', expiresAt: epochMs(now + 1), body: 'x' };
    const first = decideCommand(features.name, command.value, { version: 1, publications: [other] });
    expect([first.changed, first.publications[0]]).toEqual([true, other]);
    expect(
      decideCommand(features.name, command.value, { version: 2, publications: first.publications }).changed,
    ).toBe(false);
  });

  test.each([
    ['another feature', document('SetAgentState', '')],
    ['another namespace', dnd(true).replace(CSTA, 'urn:x')],
    ['no boolean', dnd(true).replace('>true<', '>maybe<')],
    ['another forwarding', forward('forwardSometimes', true, '1')],
    ['a number of a kilobyte', forward('forwardBusy', true, '1'.repeat(1_000))],
    ['a document type', dnd(true).replace('?><Set', '?><!DOCTYPE x><Set')],
  ])('S26 %s: refused', (_, body) => {
    expect(features.command?.read(body).ok).toBe(false);
  });

  test('F08 a hostile number stays text', () => {
    const view = viewOf(
      forward('forwardBusy', true, '&lt;/forwardTo&gt;&#13;&#10;--rollcall-features--\r\n'),
    );
    const body = view.write(request());
    expect(body).toContain('<forwardTo>&lt;/forwardTo&gt;');
    expect(body.match(/^--rollcall-features--/gm)).toHaveLength(1);
  });
});

describe('profiles of devices, RFC 6080', () => {
  const profile = uaProfile('https://boot.example.test/{domain}/{mac}.xml?u={user}');
  const view = profile.view({ resource: 'sip:MAC%3a000413AABBCC@example.test' as Aor }, now);

  test('S21 snom gets the URL alone', () => {
    expect(view.write({ type: 'application/url', version: 0 })).toBe(
      'https://boot.example.test/example.test/000413aabbcc.xml?u=MAC%3A000413AABBCC',
    );
  });

  test('S21 others get a reference to it', () => {
    const request = { type: 'message/external-body', version: 0 };
    expect(view.contentType?.(request)).toMatch(
      /^message\/external-body;access-type="URL";URL="https:\/\/boot/,
    );
    expect(view.write(request)).toMatch(/^Content-Type: .*\r\nContent-ID: <.*>\r\n\r\n$/);
  });

  test('F08 what a user part holds cannot leave the URL', () => {
    const odd = profile.view({ resource: 'sip:%22%0d%0aX:%20y"\u00e9@example.test' as Aor }, now);
    expect(odd.write({ type: 'application/url', version: 0 })).toMatch(/^https:[!#-;=?-~]+$/);
  });
});

describe('message summaries, RFC 3842', () => {
  const read = (body: string): string => {
    const summary = messageSummary.publication?.read(body, messageSummary.types[0]);
    if (summary?.ok !== true) throw new Error(summary?.error);
    return summary.value;
  };
  const written = (
    bodies: string[],
    mailbox?: Parameters<typeof messageSummary.view>[0]['mailbox'],
  ): string => {
    const publications = bodies.map((body, n) => ({
      etag: `e${n}`,
      package: 'message-summary',
      expiresAt: epochMs(now + 1),
      body: read(body),
    }));
    const state = { resource, mailbox, publications: { version: 1, publications } };
    return messageSummary.view(state, now).write({ type: messageSummary.types[0], version: 0 });
  };

  test('S27 a published summary is told as it is, without the headers of messages', () => {
    const body =
      'Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\nVoice-Message: 4/8 (1/2)\r\n\r\nTo: <alice@x>\r\n';
    expect(written([body])).toBe(body.slice(0, body.indexOf('\r\n\r\n') + 2));
  });

  test('S27 of one account the publication stands before REST; several accounts are added up', () => {
    const mailbox = { counts: { 'voice-message': { fresh: 9, old: 9 } } };
    expect(written(['Messages-Waiting: no\r\nVoice-Message: 0/1\r\n'], mailbox)).toBe(
      `Messages-Waiting: no\r\nMessage-Account: ${resource}\r\nVoice-Message: 0/1\r\n`,
    );
    const other =
      'Messages-Waiting: yes\nMessage-Account: sip:vm@b\nvoice-message:1/2(3/4)\nFax-Message: 1/0\nVideo-Message: 0/1\n';
    expect(written([other], mailbox)).toBe(
      `Messages-Waiting: yes\r\nMessage-Account: ${resource}\r\nVoice-Message: 10/11 (3/4)\r\nFax-Message: 1/0\r\nVideo-Message: 0/1\r\n`,
    );
  });

  test('a status without counts is a status', () => {
    expect(written(['Messages-Waiting: yes\r\n'])).toBe(
      `Messages-Waiting: yes\r\nMessage-Account: ${resource}\r\n`,
    );
  });

  test.each([
    ['no status', 'Voice-Message: 1/2\r\n'],
    ['a status that is neither', 'Messages-Waiting: maybe\r\n'],
    ['a line of something else', 'Messages-Waiting: yes\r\nX: y\r\n'],
    ['counts that are none', 'Messages-Waiting: yes\r\nVoice-Message: -1/2\r\n'],
    ['an account that breaks out', 'Messages-Waiting: yes\r\nMessage-Account: sip:a>b\rX: y\r\n'],
  ])('S26 F08 %s: refused', (_, body) => {
    expect(messageSummary.publication?.read(body, messageSummary.types[0]).ok).toBe(false);
  });

  test('S26 64 KiB of counts are read in linear time', () => {
    const began = performance.now();
    const digits = 'Messages-Waiting: yes\r\nVoice-Message: ' + ' '.repeat(30_000) + '1'.repeat(30_000);
    messageSummary.publication?.read(digits, messageSummary.types[0]);
    expect(performance.now() - began).toBeLessThan(500);
  });
});
