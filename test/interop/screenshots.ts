/*
 * `npm run screenshots`: starts a system, lets some phones work, and writes docs/screenshots. By hand, since pictures of a changing
 * thing would never be the same twice.
 */
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ALICE, BOB, CAROL, Subscription, TestSystem } from '@rollcall/testkit';
import { launch, signIn } from './web-browser.ts';

const FOLDER = process.argv[2] ?? 'docs/screenshots';
const VIEW = { width: 1440, height: 860 };
/** So that the curves have something to show. */
const BUSY_MS = Number(process.argv[3] ?? 40_000);

const agents = ['Yealink SIP-T54W 96.86.0.45', 'PolyEdge-E350-UA/8.2.0', 'baresip v3.12.0 (x86_64/linux)'];
const system = await TestSystem.start({ replicas: { edge: 2, registrar: 2 } });
const browser = await launch();
try {
  mkdirSync(FOLDER, { recursive: true });
  const phones = await Promise.all(
    [ALICE, BOB, CAROL].map(async (account, index) => {
      const phone = await system.phone(account, {
        edge: 1 + (index % 2),
        transport: index === 1 ? 'tcp' : 'udp',
      });
      const headers = [`Contact: <${phone.contact}>`, `User-Agent: ${agents[index] ?? ''}`];
      return {
        phone,
        register: (expires = 600) =>
          phone.register(expires, { headers: [...headers, `Expires: ${expires}`] }),
      };
    }),
  );
  const page = await browser.newPage({ viewport: VIEW });
  await signIn(page, system.plan.admin.url, system.plan.admin.token);
  const shoot = async (name: string, path: string, ready: string): Promise<void> => {
    await page.goto(`${system.plan.admin.url}/#/${path}`);
    await page.getByText(ready).first().waitFor();
    await sleep(600);
    await page.screenshot({ path: `${FOLDER}/${name}.png` });
  };
  const theme = (name: string) => page.getByRole('button', { name: `${name} theme` }).click();
  for (const { register } of phones) await register();
  const [alice, bob] = phones;
  if (alice === undefined || bob === undefined) throw new Error('no phones');
  await new Subscription(bob.phone, { event: 'reg', resource: alice.phone.aor }).send();
  await new Subscription(bob.phone, { event: 'presence', resource: alice.phone.aor }).send();
  const until = Date.now() + BUSY_MS;
  for (let round = 0; Date.now() < until; round += 1) {
    await Promise.all(
      phones.map(({ register }) => register(round % 7 === 6 ? 5 : round % 5 === 4 ? 0 : 600)),
    );
    await sleep(120);
  }
  for (const { register } of phones) await register();
  await shoot('overview', '', 'Requests a second');
  await shoot('addresses', 'aors', ALICE.user);
  const fresh = await system.phone({ ...CAROL }, { edge: 1 });
  await fresh.register(5);
  await fresh.register(600);
  await shoot('ladder', `aors/${encodeURIComponent(fresh.aor)}/trace`, 'What happens');
  await page.getByRole('button', { name: '423' }).last().click();
  await sleep(300);
  await page.screenshot({ path: `${FOLDER}/ladder.png` });
  await shoot('policies', 'domains', 'Policy of');
  await theme('Dark');
  await shoot('overview-dark', '', 'Requests a second');
  await shoot('ladder-dark', `aors/${encodeURIComponent(fresh.aor)}/trace`, 'What happens');
} finally {
  await browser.close();
  await system.stop();
}
