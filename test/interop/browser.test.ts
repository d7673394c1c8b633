import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { eventually, TestSystem, ALICE, BOB, type Account } from '@rollcall/testkit';
import type { BrowserContext, Browser, Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath } from './tools.ts';

/** Serves an empty page; a loopback address is a secure origin, as a browser wants it for a microphone. */
const pages = createServer((_request, response) => {
  response.setHeader('content-type', 'text/html').end('<!doctype html><title>phone</title>');
});
/** Of the page that may come in, and of one that may not. */
let origins: { readonly ours: string; readonly evil: string };

let system: TestSystem;
let browser: Browser;
let context: BrowserContext;
let library: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
  const { port } = pages.address() as AddressInfo;
  origins = { ours: `http://localhost:${port}`, evil: `http://127.0.0.1:${port}` };
  system = await TestSystem.start({ env: { edge: { ROLLCALL_WS_ORIGINS: origins.ours } } });
  library = await bundle();
  browser = await chromium.launch({
    executablePath: chromiumPath(),
    args: [
      ...['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
      // A microphone that is none, and nobody to ask for it.
      ...['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'],
    ],
  });
  // The edge's certificate is signed by an authority of this test.
  context = await browser.newContext({ ignoreHTTPSErrors: true, permissions: ['microphone'] });
});
afterAll(async () => {
  await browser.close();
  pages.close();
  await system.stop();
});

/** JsSIP as one script. */
async function bundle(): Promise<string> {
  const entry = createRequire(import.meta.url).resolve('jssip');
  const result = await build({
    configFile: false,
    logLevel: 'silent',
    define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
    build: { write: false, minify: false, lib: { entry, formats: ['iife'], name: 'JsSIP' } },
  });
  const [first] = [result].flat();
  if (first === undefined || !('output' in first)) throw new Error('nothing was bundled');
  const [chunk] = first.output;
  return chunk.code;
}

/** What the pages' script keeps. */
/** The browser's own, in functions that run there. */
declare const window: unknown;

interface PhoneState {
  readonly events: string[];
  ua?: {
    call(target: string, options: object): unknown;
    terminateSessions(): void;
    unregister(): void;
    stop(): void;
  };
}
declare const JsSIP: {
  UA: new (options: object) => NonNullable<PhoneState['ua']> & {
    on(event: string, act: (fact: { originator?: string; session?: Session; cause?: string }) => void): void;
    start(): void;
  };
  WebSocketInterface: new (url: string) => object;
};
interface Session {
  readonly direction: string;
  on(event: string, act: (fact: { cause?: string }) => void): void;
  answer(options: object): void;
}
interface PhoneWindow {
  phone: PhoneState;
}

/** A page in which JsSIP is a phone of this user; it takes every call. */
async function openPhone({ user, password }: Account, origin = origins.ours): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${origin}/`);
  await page.addScriptTag({ content: library });
  const { host, port } = system.sip('wss');
  await page.evaluate(
    ({ url, uri, secret }) => {
      const phone: PhoneState = { events: [] };
      (window as PhoneWindow).phone = phone;
      const ua = new JsSIP.UA({
        sockets: [new JsSIP.WebSocketInterface(url)],
        uri,
        password: secret,
        register_expires: 120,
        session_timers: false,
      });
      phone.ua = ua;
      for (const event of ['connected', 'disconnected', 'registered', 'unregistered', 'registrationFailed'])
        ua.on(event, ({ cause }) =>
          phone.events.push(typeof cause !== 'string' ? event : `${event} ${cause}`),
        );
      ua.on('newRTCSession', ({ session }) => {
        if (session === undefined) return;
        phone.events.push(session.direction);
        for (const event of ['progress', 'accepted', 'confirmed', 'ended', 'failed'])
          session.on(event, ({ cause }) =>
            phone.events.push(typeof cause !== 'string' ? event : `${event} ${cause}`),
          );
        if (session.direction === 'incoming')
          session.answer({ mediaConstraints: { audio: true, video: false } });
      });
      ua.start();
    },
    { url: `wss://${host}:${port}/`, uri: `sip:${user}@${system.domain}`, secret: password },
  );
  return page;
}

const events = (page: Page): Promise<string[]> => page.evaluate(() => (window as PhoneWindow).phone.events);

async function waitFor(page: Page, event: string): Promise<void> {
  await eventually(event, async () => (await events(page)).includes(event), 20_000).catch(
    async (error: unknown) => {
      throw new Error(`${String(error)}; there were: ${(await events(page)).join(', ')}`);
    },
  );
}

const bindings = ({ user }: Account) => system.admin.bindings(`sip:${user}@${system.domain}`);

describe('JsSIP in Chromium over WSS', () => {
  it('E01 P14 registers, calls and is called, hangs up, and unregisters', async () => {
    const [alice, bob] = [await openPhone(ALICE), await openPhone(BOB)];
    for (const page of [alice, bob]) await waitFor(page, 'registered');
    const [binding] = await bindings(ALICE);
    expect(binding?.contact).toMatch(/\.invalid;transport=ws/);
    await bob.evaluate((target) => {
      (window as PhoneWindow).phone.ua?.call(target, {
        mediaConstraints: { audio: true, video: false },
      });
    }, `sip:${ALICE.user}@${system.domain}`);
    for (const page of [alice, bob]) await waitFor(page, 'confirmed');
    expect(await events(alice)).toContain('incoming');
    await bob.evaluate(() => (window as PhoneWindow).phone.ua?.terminateSessions());
    await waitFor(alice, 'ended Terminated');
    for (const page of [alice, bob]) {
      await page.evaluate(() => (window as PhoneWindow).phone.ua?.unregister());
      await waitFor(page, 'unregistered');
    }
    await eventually(
      'no bindings',
      async () => (await bindings(ALICE)).length + (await bindings(BOB)).length === 0,
    );
    await alice.close();
    await bob.close();
  });

  it('E07 a page of another origin does not get in', async () => {
    const page = await openPhone(ALICE, origins.evil);
    await eventually(
      'a refusal',
      async () => (await events(page)).some((event) => event.startsWith('disconnected')),
      15_000,
    );
    expect(await events(page)).not.toContain('connected');
    const refused = await system.metric('edge', 'rollcall_sip_connections_refused_total', {
      reason: 'websocket',
    });
    expect(refused).toBeGreaterThanOrEqual(1);
    await page.close();
  });
});
