import type { Page } from 'playwright-core';

/* The page of addresses as a person uses it; times are taken inside the page, in milliseconds from the act to the rows. */

/** A filter that is set, and what shows that its rows are there: so many, and each with this text in this cell. */
export interface Filtered {
  readonly label: string;
  readonly value: string;
  readonly cell: string;
  readonly text: string;
  readonly rows: number;
}

const SCREEN = 50;

/** What the programs below have in common; they run in the browser, which this project's types do not know. */
const HELPERS = `
  const rows = () => [...document.querySelectorAll('main tbody tr')];
  const until = async (there) => {
    while (!there()) await new Promise((resolve) => requestAnimationFrame(resolve));
  };
  const timed = async (act, there) => {
    const began = performance.now();
    act();
    await until(there);
    return performance.now() - began;
  };`;

const inPage = (page: Page, program: string): Promise<number> =>
  page.evaluate<number>(`(async () => { ${HELPERS} ${program} })()`);

/** From another page to the first screen. */
export async function showFirst(page: Page): Promise<number> {
  await page.evaluate(`location.hash = '#/traces'`);
  await page.getByRole('heading', { name: 'Traces' }).waitFor();
  return inPage(page, `return timed(() => { location.hash = '#/aors'; }, () => rows().length >= ${SCREEN});`);
}

/** From the click on More to the rows of the second screen. */
export function clickMore(page: Page): Promise<number> {
  return inPage(
    page,
    `const more = document.querySelector('main .more button');
     await until(() => !more.disabled);
     return timed(() => more.click(), () => rows().length >= ${2 * SCREEN});`,
  );
}

/** From the last key, or the choice, to the rows that fit; a quarter of a second of it waits for another key. */
export function showFiltered(page: Page, filtered: Filtered): Promise<number> {
  return inPage(
    page,
    `const { label, value, cell, text, rows: wanted } = ${JSON.stringify(filtered)};
     const named = [...document.querySelectorAll('main .filters label')]
       .find((one) => one.firstChild.textContent.trim() === label);
     const field = named.querySelector('input, select');
     await until(() => field.options === undefined || [...field.options].some((one) => one.value === value));
     const fits = (row) => row.querySelector(cell)?.textContent.includes(text) === true;
     return timed(
       () => {
         field.value = value;
         field.dispatchEvent(new Event('input', { bubbles: true }));
       },
       () => rows().length === wanted && rows().every(fits),
     );`,
  );
}
