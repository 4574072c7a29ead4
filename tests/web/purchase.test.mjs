// A guest gets a key: by keyboard alone, and with scripts switched off.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openShop } from './shop.mjs';

const KEY = /MT1-[\w-]{100,}|\b[0-9A-Z]{3}[0-9A-HJKMNP-TV-Z]{2}(-[0-9A-HJKMNP-TV-Z]{5}){3}\b/;

let shop;
before(async () => { shop = await openShop(); });
after(() => shop.close());

/** Presses Tab until what is focused has this text, label or name. */
async function tabTo(page, wanted) {
  for (let press = 0; press < 80; press += 1) {
    await page.keyboard.press('Tab');
    const found = await page.evaluate(() => {
      const { id, name, textContent } = document.activeElement;
      return [id, name, textContent.trim()];
    });
    if (found.includes(wanted)) return;
  }
  assert.fail(`no key press reaches ${wanted}`);
}

const loaded = (page, press) => Promise.all([page.waitForNavigation(), press()]);

async function showsKey(page) {
  const text = await page.locator('main').innerText();
  const fields = await page.locator('main textarea, main input').evaluateAll((all) =>
    all.map(({ value }) => value).join('\n'));
  assert.match(`${text}\n${fields}`, KEY);
}

test('by keyboard alone', async () => {
  const page = await shop.browser.newPage();
  await page.goto(`${shop.url}/p/chronon`);
  await tabTo(page, 'Get it free');
  await loaded(page, () => page.keyboard.press('Enter'));
  await tabTo(page, 'email');
  await page.keyboard.type('keys@example.test');
  await tabTo(page, 'Get the license');
  await loaded(page, () => page.keyboard.press('Enter'));
  await showsKey(page);
  await page.close();
});

test('without scripts', async () => {
  const context = await shop.browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${shop.url}/checkout/chronon`);
  await page.getByLabel('Your e-mail address').fill('plain@example.test');
  await loaded(page, () => page.getByRole('button', { name: 'Get the license' }).click());
  await showsKey(page);
  await context.close();
});
