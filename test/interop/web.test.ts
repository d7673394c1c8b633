import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ALICE, BOB, CAROL, eventually, Subscription, TestSystem } from '@rollcall/testkit';
import type { Phone } from '@rollcall/testkit';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { run } from './tools.ts';
import { complaints, launch, signIn, violations } from './web-browser.ts';

/** First load of the UI, everything that comes before the first click, in kilobytes of gzip. */
const MOST_KILOBYTES = 100;
const HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>"\'`{{7*7}}';

let system: TestSystem;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let heard: string[];
let folder: string;

beforeAll(async () => {
  [system, browser] = await Promise.all([TestSystem.start(), launch()]);
  folder = mkdtempSync(join(tmpdir(), 'rollcall-web-'));
});
beforeEach(async () => {
  context = await browser.newContext({ viewport: { width: 1440, height: 900 }, acceptDownloads: true });
  page = await context.newPage();
  page.setDefaultTimeout(20_000);
  heard = complaints(page);
  await signIn(page, system.plan.admin.url, system.plan.admin.token);
});
afterEach(async () => {
  await context.close();
  system.closePhones();
});
afterAll(async () => {
  await browser.close();
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

const open = async (path: string): Promise<void> => {
  await page.goto(`${system.plan.admin.url}/#/${path}`);
};
const aorPath = (phone: Phone, tab: string): string => `aors/${encodeURIComponent(phone.aor)}/${tab}`;
const link = (name: string) => page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name });

describe('A11 the web UI in Chromium', () => {
  it('A10 A11 a phone that registers appears, its ladder is read, its capture opens in tshark, its binding goes', async () => {
    await link('Addresses').click();
    await page.getByRole('link', { name: `${ALICE.user}@${system.domain}` }).waitFor({ state: 'detached' });
    const phone = await system.phone(ALICE);
    await phone.register();
    // it appears by itself
    await page.getByRole('link', { name: `${ALICE.user}@${system.domain}` }).click();
    await page.getByRole('rowheader', { name: phone.contact }).waitFor();

    await page
      .getByRole('navigation', { name: 'About this address' })
      .getByRole('link', { name: 'Trace' })
      .click();
    const challenge = page.getByRole('button', { name: '401 Unauthorized' });
    await challenge.click();
    const detail = page.getByLabel('Chosen step');
    await detail.getByText('RFC 3261 §22.2').waitFor();
    expect(await detail.getByLabel('Raw message').innerText()).toMatch(
      /^SIP\/2\.0 401 Unauthorized\n[^]*WWW-Authenticate: Digest/,
    );
    await page.getByRole('button', { name: '200 OK' }).last().click();
    await detail.getByText('accepted, registered now').waitFor();
    expect(await detail.getByLabel('Raw message').innerText()).toMatch(/^SIP\/2\.0 200 OK\n/);
    await page.getByRole('button', { name: 'commit' }).waitFor();
    // what the edge asks the registrar for never reaches a phone
    expect(await detail.getByLabel('Raw message').innerText()).not.toContain('X-Rollcall');

    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download pcap' }).click(),
    ]);
    const saved = join(folder, file.suggestedFilename());
    await file.saveAs(saved);
    const fields = ['ip.src', 'udp.srcport', 'sip.Status-Code', 'sip.Method', 'sip.auth.digest.response'];
    const read = await run('tshark', [
      '-r',
      saved,
      '-Y',
      'sip',
      '-T',
      'fields',
      ...fields.flatMap((one) => ['-e', one]),
    ]);
    expect(read.code, read.output).toBe(0);
    const rows = read.output.split('\n').filter((line) => line.startsWith('127.0.0.1'));
    const { port } = system.sip('udp');
    expect(rows.map((row) => row.split('\t').slice(2, 4).join(''))).toEqual([
      'REGISTER',
      '401',
      'REGISTER',
      'REGISTER',
      '200',
      '200',
    ]);
    expect(rows[1]?.split('\t')[1]).toBe(String(port));
    expect(rows[2]?.split('\t')[4]?.replaceAll('"', '')).toMatch(/^x+$/);

    await page.getByRole('link', { name: 'Devices' }).click();
    await page.getByRole('button', { name: `Remove ${phone.contact}` }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('cell', { name: 'deactivated' }).waitFor();
    await page.getByText('No device is registered').waitFor();
    expect(await system.admin.bindings(phone.aor)).toEqual([]);
    expect(heard).toEqual([]);
  });

  it('A10 a trace is started and stopped, and a refusal says its rule', async () => {
    const phone = await system.phone(BOB);
    await open(aorPath(phone, 'trace'));
    await page.getByRole('button', { name: 'Trace for 10 minutes' }).click();
    await page.getByText('everything is kept until').waitFor();
    await phone.register(5).catch(() => undefined);
    await page.getByRole('button', { name: '423' }).last().click();
    const detail = page.getByLabel('Chosen step');
    await detail.getByText('RFC 3261 §10.3 step 7').waitFor();
    await detail.getByText('shorter time than the policy allows').waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('button', { name: 'Trace for 10 minutes' }).waitFor();
    await open('audit');
    await page.getByRole('cell', { name: 'trace.stop' }).waitFor();
    expect(heard).toEqual([]);
  });

  it('A10 up to six who take part fit beside their notes into a window of 1280 pixels', async () => {
    const phone = await system.phone(BOB);
    await phone.register();
    const names = ['Phone 1', 'Phone 2', 'Edge edge-1', 'Registrar', 'Presence', 'Redis'];
    await page.setViewportSize({ width: 1280, height: 800 });
    for (const count of [4, 5, 6]) {
      const lifelines = names
        .slice(-count)
        .map((id) => ({ id, kind: 'edge', name: id, detail: '192.0.2.1:5060' }));
      const step = (n: number) => ({
        ...{ at: n * 1_000, kind: 'request', label: 'SUBSCRIBE', tone: 'plain', note: `step ${String(n)}` },
        ...{ from: lifelines[n % (count - 1)]?.id, to: lifelines[(n % (count - 1)) + 1]?.id, callId: 'c' },
      });
      const steps = Array.from({ length: 40 }, (_, n) => step(n));
      await page.route('**/trace?limit=*', async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, json: { ...((await response.json()) as object), lifelines, steps } });
      });
      await open(aorPath(phone, 'trace'));
      const story = page.getByRole('region', { name: 'Ladder' });
      await story.getByText('step 39').waitFor();
      await eventually(
        `${String(count)} lifelines`,
        async () => (await story.locator('.head').count()) === count,
      );
      const [content = 0, room = 0, ...tops] = await page.evaluate<number[]>(
        '((one) => [one.scrollWidth, one.clientWidth, ...[...one.querySelectorAll(".head")].map((head) => head.offsetTop)])(document.querySelector(".story"))',
      );
      expect(content, `${String(count)} lifelines`).toBeLessThanOrEqual(room);
      expect(Math.min(...tops), `names of ${String(count)}`).toBeGreaterThanOrEqual(0);
      // Where there is room they stand further apart, so that an address is not broken.
      await page.setViewportSize({ width: 1920, height: 800 });
      await eventually(`${String(count)} lifelines in a wide window`, async () =>
        page.evaluate<boolean>(
          '[...document.querySelectorAll(".head")].every((head) => head.offsetWidth > 120) && document.querySelector(".story").scrollWidth <= document.querySelector(".story").clientWidth',
        ),
      );
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.unroute('**/trace?limit=*');
      await open('aors');
    }
    expect(heard).toEqual([]);
  });

  it('A04 A10 who watches whom is shown from both sides, and the commit of a SUBSCRIBE in its ladder', async () => {
    const phone = await system.phone(BOB);
    const watched = `sip:${ALICE.user}@${system.domain}`;
    await phone.register();
    const subscription = new Subscription(phone, { event: 'presence', resource: watched });
    await subscription.send();
    await subscription.nextNotify();
    await open(aorPath(phone, 'trace'));
    await page.getByRole('button', { name: 'SUBSCRIBE' }).last().waitFor();
    await page.getByRole('button', { name: 'commit' }).last().click();
    const detail = page.getByLabel('Chosen step');
    await detail.getByText('Presence → Redis').waitFor();
    await open(aorPath(phone, 'subscriptions'));
    const own = page.getByRole('region', { name: 'What it watches' });
    await own.getByRole('link', { name: `${ALICE.user}@${system.domain}` }).click();
    const others = page.getByRole('region', { name: 'Who watches' });
    await others.getByRole('link', { name: `${BOB.user}@${system.domain}` }).waitFor();
    await others.getByText('answered 200').waitFor();
    expect(heard).toEqual([]);
  });

  it('A12 F08 hostile text from a phone is shown as text', async () => {
    const phone = await system.phone(CAROL);
    const headers = [`Contact: <${phone.contact}>`, 'Expires: 300', `User-Agent: ${HOSTILE}`];
    const { status, reason } = await phone.register(300, { headers });
    expect(`${String(status)} ${reason}`).toBe('200 OK');
    await open('aors?prefix=carol');
    await page.getByRole('cell', { name: HOSTILE }).waitFor();
    await open(aorPath(phone, 'trace'));
    await page.getByRole('button', { name: 'REGISTER' }).first().click();
    await page.getByLabel('Raw message').getByText(HOSTILE).waitFor();
    expect(await page.title()).toBe(`${CAROL.user}@${system.domain} · Rollcall`);
    expect(heard).toEqual([]);
  });

  it('A05 A11 a user is made, disabled and deleted, a policy is edited', async () => {
    await link('Users & policies').click();
    await page.getByRole('button', { name: 'New user' }).click();
    await page.getByLabel('User', { exact: true }).fill('dave');
    await page.getByLabel('Password').fill('dave-secret');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('rowheader', { name: `dave@${system.domain}` }).waitFor();
    const dave = await system.phone({ user: 'dave', password: 'dave-secret' });
    expect((await dave.register()).status).toBe(200);
    await page.getByRole('button', { name: 'Edit dave' }).click();
    await page.getByLabel('Enabled').selectOption('no');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('disabled', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Edit policy' }).click();
    await page.getByLabel('Max contacts').fill('3');
    await page.getByRole('button', { name: 'Save' }).click();
    await eventually('the policy', async () => {
      const { body } = await system.admin.get<{ maxContacts?: number }>(`/v1/domains/${system.domain}`);
      return body.maxContacts === 3;
    });
    await page.getByRole('button', { name: 'Delete dave' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('rowheader', { name: `dave@${system.domain}` }).waitFor({ state: 'detached' });
    expect(heard).toEqual([]);
  });

  it('A11 axe finds nothing on any page, light and dark', async () => {
    const phone = await system.phone(ALICE);
    await phone.register();
    await new Subscription(phone, { event: 'reg' }).send();
    const paths = [
      '',
      'aors',
      aorPath(phone, 'bindings'),
      aorPath(phone, 'subscriptions'),
      aorPath(phone, 'trace'),
      'events',
      'traces',
      'edges',
      'edges/edge-1',
      'domains',
      'audit',
    ];
    const found: string[] = [];
    for (const theme of ['Dark', 'Light'] as const) {
      await page.getByRole('button', { name: `${theme} theme` }).click();
      for (const path of paths) {
        await open(path);
        await page.getByRole('heading', { level: 1 }).waitFor();
        if (path.endsWith('trace')) await page.getByLabel('Chosen step').waitFor();
        else if (!['events', 'traces'].includes(path)) await page.getByRole('table').first().waitFor();
        found.push(...(await violations(page)).map((one) => `${theme} ${path}: ${one}`));
      }
      await page.getByRole('link', { name: 'Users & policies' }).click();
      await page.getByRole('button', { name: 'Edit policy' }).click();
      await page.getByLabel('Max contacts').waitFor();
      found.push(...(await violations(page)).map((one) => `${theme} dialog: ${one}`));
      await page.keyboard.press('Escape');
    }
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('API token').waitFor();
    found.push(...(await violations(page)).map((one) => `login: ${one}`));
    expect(found).toEqual([]);
    expect(heard).toEqual([]);
  });

  it('A08 A11 axe finds nothing on the page of the REST interface, light and dark', async () => {
    await page.goto(new URL('/docs', page.url()).href);
    await page.getByRole('heading', { name: '/v1/webhooks', exact: false }).first().waitFor();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await violations(page)).toEqual([]);
    }
    expect(heard).toEqual([]);
  });

  it('A11 everything is reached by the keyboard', async () => {
    const phone = await system.phone(ALICE);
    await phone.register();
    await page.keyboard.press('/');
    await page.keyboard.type(`${ALICE.user}@${system.domain}`);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: `${ALICE.user}@${system.domain}` }).waitFor();
    await page.getByRole('link', { name: 'Trace', exact: true }).focus();
    await page.keyboard.press('Enter');
    const steps = page.locator('.notes button');
    await steps.first().focus();
    await page.keyboard.press('ArrowDown');
    expect(await steps.nth(1).getAttribute('aria-pressed')).toBe('true');
    await page.getByLabel('Chosen step').getByText('401 Unauthorized').first().waitFor();
  });

  it('A11 the first load is small, has no inline script or style, and nothing from elsewhere', async () => {
    const fresh = await browser.newPage();
    const bodies: Promise<Buffer>[] = [];
    const hosts = new Set<string>();
    fresh.on('response', (response) => {
      hosts.add(new URL(response.url()).host);
      bodies.push(response.body());
    });
    const answer = await fresh.goto(system.plan.admin.url);
    await fresh.getByLabel('API token').waitFor();
    const policy = answer?.headers()['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(await answer?.text()).not.toMatch(/<script>|<style|style=|\son\w+=/);
    const sizes = (await Promise.all(bodies)).map((body) => gzipSync(body).length);
    const kilobytes = sizes.reduce((sum, size) => sum + size, 0) / 1_000;
    expect(kilobytes).toBeGreaterThan(10);
    expect(kilobytes).toBeLessThan(MOST_KILOBYTES);
    expect([...hosts]).toEqual([new URL(system.plan.admin.url).host]);
    await fresh.close();
  });
});
