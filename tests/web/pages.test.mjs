// Every main page, in light and dark: nothing for axe to complain about, and at 320 pixels nothing
// to scroll sideways.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openShop, violations } from './shop.mjs';

const PAGES = [
  '/',
  '/c/developer',
  '/search?q=time',
  '/search?q=nothingofthekind',
  '/p/chronon',
  '/p/northbeam-speech',
  '/checkout/chronon',
  '/sign-in',
  '/sign-up',
  '/redeem',
  '/activate',
  '/verify-usage',
  '/sandbox',
  '/sandbox',
  '/no-such-page',
];

let shop;
before(async () => { shop = await openShop(); });
after(() => shop.close());

async function visit(path, options) {
  const page = await shop.browser.newPage(options);
  await page.goto(shop.url + path);
  return page;
}

for (const path of PAGES) {
  for (const colorScheme of ['light', 'dark']) {
    test(`${path} in ${colorScheme}`, async () => {
      const page = await visit(path, { colorScheme });
      assert.deepEqual(await violations(page), []);
      await page.close();
    });
  }
  test(`${path} at 320 pixels`, async () => {
    const page = await visit(path, { viewport: { width: 320, height: 640 } });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 320, `${width} pixels wide`);
    await page.close();
  });
}

test('axe finds what is wrong', async () => {
  const page = await visit('/');
  await page.setContent('<html><body><img src="x"><button></button></body></html>');
  assert.ok((await violations(page)).length >= 2);
  await page.close();
});
