import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { readXml, watcherChange, winfoOf } from '../src/index.ts';
import type { News, Subscription, WatcherChange } from '../src/index.ts';
import { freshResource, sampleSubscription } from '../src/contract/index.ts';

const now = epochMs(1_800_000_000_000);
const resource = freshResource();
const winfo = winfoOf('presence');
const watcher = (name: string, change: Partial<Subscription> = {}): Subscription =>
  sampleSubscription(resource, 1, now, { watcher: `sip:${name}@example.test`, ...change });

const viewOf = (...watchers: Subscription[]) => winfo.view({ resource, watchers }, now);
const write = (view: ReturnType<typeof viewOf>, news?: News): string => {
  const body = view.write({ type: winfo.types[0], version: 2, news });
  expect(readXml(body)).toMatchObject({ ok: true });
  return body;
};
const newsAfter = (view: ReturnType<typeof viewOf>, ...watching: (WatcherChange | undefined)[]): News => ({
  after: view.fingerprint,
  commits: 0,
  changes: [],
  watching: watching.filter((each) => each !== undefined),
});
const told = (body: string): string[] =>
  [...body.matchAll(/status="(\w+)" event="(\w+)"[^>]*>sip:(\w+)@/g)].map((m) => `${m[3]} ${m[1]} ${m[2]}`);

describe('watcher information, RFC 3857 and 3858', () => {
  const a = watcher('a');
  const b = watcher('b');

  test('S19 full: every watcher of the package, and of no other', () => {
    const body = write(
      viewOf(a, b, watcher('c', { package: 'dialog' }), watcher('d', { delivery: 'ending' })),
    );
    expect(body).toContain(`version="2" state="full"`);
    expect(body).toContain(`<watcher-list resource="${resource}" package="presence">`);
    expect(body).toContain(`<watcher id="${a.id}" status="active"`);
    expect(told(body)).toEqual(['a active subscribe', 'b active subscribe']);
  });

  test('S19 partial: who came and who went', () => {
    const came = write(viewOf(a, b), newsAfter(viewOf(a), watcherChange(undefined, b)));
    expect(came).toContain('state="partial"');
    expect(told(came)).toEqual(['b active subscribe']);
    const went = write(viewOf(b), newsAfter(viewOf(a, b), watcherChange(a, { ...a, delivery: 'ending' })));
    expect(told(went)).toEqual(['a terminated timeout']);
  });

  test('S19 who came and went in between is told as gone, with what ended it', () => {
    const ended = { ...b, delivery: 'ending' as const };
    const body = write(viewOf(a), newsAfter(viewOf(a), watcherChange(undefined, b), watcherChange(b, ended)));
    expect([body.includes('partial'), told(body)]).toEqual([true, ['b terminated timeout']]);
  });

  test('S19 full when the changes are not all that lies between', () => {
    const c = watcher('c');
    const body = write(viewOf(a, b, c), newsAfter(viewOf(a), watcherChange(undefined, b)));
    expect(body).toContain('state="full"');
    expect(told(body)).toHaveLength(3);
    expect(
      write(viewOf(a, b), newsAfter(viewOf(a), watcherChange(undefined, b), watcherChange(undefined, b))),
    ).toContain('state="full"');
  });

  test('a claim, a refresh or a settled NOTIFY is no change, and winfo does not watch itself', () => {
    expect(watcherChange(a, { ...a, delivery: 'inFlight', localCseq: 7 })).toBeUndefined();
    expect(watcherChange({ ...a, delivery: 'ending' }, undefined)).toBeUndefined();
    expect(watcherChange(undefined, { ...a, package: 'presence.winfo' })).toBeUndefined();
    expect(viewOf(a).fingerprint).toBe(
      viewOf({ ...a, localCseq: 9, expiresAt: epochMs(now + 1) }).fingerprint,
    );
  });

  test('300 watchers at most are listed, so that it fits a message', () => {
    const many = Array.from({ length: 400 }, (_, n) => watcher(`w${n}`));
    const body = write(viewOf(...many));
    expect(body.length).toBeLessThan(60_000);
    expect(told(body)).toHaveLength(300);
  });

  test('F08 a watcher with a hostile name stays text', () => {
    const evil = watcher('e', { watcher: 'sip:"><x>&@example.test' });
    expect(write(viewOf(evil))).toContain('>sip:&quot;&gt;&lt;x&gt;&amp;@example.test</watcher>');
  });
});
