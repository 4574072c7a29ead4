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

// Pages of whoever runs the platform.
const OWNER_PAGES = [
  '/owner',
  '/owner/ledger',
  '/owner/ledger/entries?of=ord_nothing',
  '/owner/payouts',
  '/owner/disputes',
  '/owner/fees',
];

let shop;
let owner;
before(async () => {
  shop = await openShop();
  owner = await signedIn('ines@mintreu.example');
});
after(() => shop.close());

async function visit(path, options) {
  const page = await shop.browser.newPage(options);
  await page.goto(shop.url + path);
  return page;
}

/** What a browser keeps of somebody who signed in. */
async function signedIn(email) {
  const page = await visit('/sign-in');
  await page.locator('#email').fill(email);
  await page.locator('#password').fill('look around freely');
  const button = page.locator('main form button.primary');
  await Promise.all([page.waitForNavigation(), button.click()]);
  const kept = await page.context().storageState();
  await page.close();
  return kept;
}

for (const path of [...PAGES, ...OWNER_PAGES]) {
  const options = () => (OWNER_PAGES.includes(path) ? { storageState: owner } : {});
  for (const colorScheme of ['light', 'dark']) {
    test(`${path} in ${colorScheme}`, async () => {
      const page = await visit(path, { ...options(), colorScheme });
      assert.deepEqual(await violations(page), []);
      await page.close();
    });
  }
  test(`${path} at 320 pixels`, async () => {
    const page = await visit(path, { ...options(), viewport: { width: 320, height: 640 } });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 320, `${width} pixels wide`);
    await page.close();
  });
}

test('a name without a break widens no page', async () => {
  const page = await visit('/', { viewport: { width: 320, height: 640 } });
  const width = () => page.evaluate(() => document.documentElement.scrollWidth);
  const named = (tag) => page.evaluate((tag) => {
    const box = document.querySelector('main .wrap') ?? document.querySelector('main');
    box.insertAdjacentHTML('beforeend', `<div class="row apart"><${tag}>${'w'.repeat(80)}</${tag}></div>`);
  }, tag);
  for (const tag of ['h1', 'h2', 'h3']) {
    await named(tag);
    assert.ok(await width() <= 320, `${tag}: ${await width()} pixels wide`);
  }
  // What the rule is for: without it the same name is wider than the phone.
  await named('h3 style="overflow-wrap: normal"');
  assert.ok(await width() > 320);
  await page.close();
});

test('the owner finds the owner\'s pages', async () => {
  for (const path of OWNER_PAGES) {
    const page = await shop.browser.newPage({ storageState: owner });
    const answer = await page.goto(shop.url + path);
    assert.equal(answer.status(), 200, path);
    assert.ok(page.url().includes('/owner'), path);
    await page.close();
  }
});

test('axe finds what is wrong', async () => {
  const page = await visit('/');
  await page.setContent('<html><body><img src="x"><button></button></body></html>');
  assert.ok((await violations(page)).length >= 2);
  await page.close();
});
