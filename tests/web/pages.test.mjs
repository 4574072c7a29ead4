// Every page, seen by whom it is for: in light and in dark nothing for axe to complain about, and
// at 320 pixels nothing to scroll sideways.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openShop, violations } from './shop.mjs';

const PEOPLE = {
  guest: null,
  buyer: 'priya@customer.example',
  seller: 'mara@lichen.example',
  service: 'tomasz@northbeam.example',
  owner: 'ines@mintreu.example',
};

// Who sees which pages. Of two, the first is a page and the second what a link on it looks like, so
// that a page without such a link is a failure too.
const PAGES = {
  guest: [
    '/',
    '/c/developer',
    '/search?q=time',
    '/search?q=nothingofthekind',
    '/search?kind=bundle',
    '/p/chronon',
    '/p/northbeam-speech',
    '/checkout/chronon',
    '/checkout/lichen-darkroom',
    '/cart',
    '/sign-in',
    '/sign-up',
    '/redeem',
    '/activate',
    '/verify-usage',
    '/sandbox',
    '/no-such-page',
  ],
  buyer: [
    ['/p/webhook-relay', /\/try\?price=/],
    '/account',
    '/account/email/confirm?t=nothing',
    '/account/email/stop?t=nothing',
    '/orders',
    '/orders?state=paid',
    ['/orders', /\/orders\/ord_\w+$/],
    '/licenses',
    ['/licenses', /\/licenses\/lic_\w+$/],
    '/subscriptions',
    '/payment-methods',
    ['/subscriptions', /\/subscriptions\/sub_\w+$/],
    '/usage',
    ['/usage', /\/usage\/lic_\w+\/sources\//],
    '/invoices',
    ['/invoices', /\/invoices\/inv_\w+$/],
    ['/invoices', /\/invoices\/inv_\w+$/, /\/usage\//],
    ['/subscriptions', /\/subscriptions\/sub_\w+$/, /\/orders\/ord_\w+$/],
    ['/subscriptions', /\/subscriptions\/sub_\w+$/, /\/orders\/ord_\w+$/, /\/wishes$/],
  ],
  seller: [
    ['/p/webhook-relay', /\/try\?price=/],
    '/sell',
    '/sell/products',
    '/sell/products/new',
    ['/sell/products', /\/sell\/products\/prd_\w+$/],
    ['/sell/products', /\/sell\/products\/prd_\w+$/, /\/prices$/],
    ['/sell/products', /\/sell\/products\/prd_\w+$/, /\/licenses$/],
    ['/sell/products', /\/sell\/products\/prd_\w+$/, /\/subscribers$/],
    ['/sell/products', /\/sell\/products\/prd_\w+$/, /\/archive$/],
    '/sell/coupons',
    ['/sell/coupons', /\/sell\/coupons\/cpn_\w+$/],
    '/sell/embed',
    '/sell/sales',
    '/sell/wishes',
    ['/sell/sales', /\/sell\/sales\/orl_\w+$/],
    '/sell/invoices',
    '/sell/payouts',
    ['/sell/payouts', /\/sell\/payouts\/pyo_\w+$/],
    '/sell/webhooks',
    ['/sell/webhooks', /\/sell\/webhooks\/whe_\w+$/],
    ['/sell/webhooks', /\/sell\/webhooks\/whe_\w+$/, /\/deliveries\/whd_\w+$/],
    '/sell/keys',
    '/sell/close',
  ],
  service: [
    '/sell/usage',
    '/sell/meters',
    '/sell/wishes',
  ],
  owner: [
    '/owner',
    '/owner/ledger',
    ['/owner/ledger', /\/owner\/ledger\/entries\?/],
    ['/owner/ledger', /\/owner\/ledger\/entries\?/, /\/transactions\/ltx_\w+/],
    '/owner/ledger/entries?of=ord_nothing',
    '/owner/payouts',
    ['/owner/payouts', /\/owner\/payouts\/pyr_\w+$/],
    '/owner/disputes',
    '/owner/wishes',
    ['/owner/disputes', /\/owner\/disputes\/dsp_\w+$/],
    '/owner/risk',
    ['/owner/disputes', /\/owner\/disputes\/dsp_\w+$/, /\/owner\/disputes\/dsp_\w+\/answer$/],
    '/owner/fees',
    '/owner/sellers',
    ['/owner/sellers', /\/owner\/sellers\/acc_\w+$/],
  ],
};

// Colours that change slowly would be judged on their way.
const STILL = { colorScheme: 'light', reducedMotion: 'reduce' };

let shop;
const kept = {};
before(async () => {
  shop = await openShop();
  for (const [who, email] of Object.entries(PEOPLE)) kept[who] = email ? await signedIn(email) : undefined;
  await told();
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
  const state = await page.context().storageState();
  await page.close();
  return state;
}

/** The seller has a webhook endpoint, which was told of something and doesn't answer. */
async function told() {
  const context = await shop.browser.newContext({ storageState: kept.seller });
  const headers = { origin: shop.url };
  const data = { url: 'http://127.0.0.1:9/hook', events: ['order.paid'] };
  const made = await context.request.post(`${shop.url}/v1/webhook-endpoints`, { data, headers });
  assert.equal(made.status(), 201, await made.text());
  const { webhook_endpoint_id: id } = await made.json();
  const tried = await context.request.post(`${shop.url}/v1/webhook-endpoints/${id}/test`, { headers });
  assert.equal(tried.status(), 202, await tried.text());
  await context.close();
}

/** Goes to an address, and from there by the first links that look so and lead on. */
async function reach(page, [start, ...links]) {
  const answer = await page.goto(new URL(start, shop.url).href);
  if (links.length === 0) return answer;
  const hrefs = await page.locator('main a[href]').evaluateAll((all) => all.map(({ href }) => href));
  const like = [...new Set(hrefs.map((href) => href.split('#')[0]))].filter((href) => links[0].test(href));
  for (const next of like.slice(0, 8)) {
    const reached = await reach(page, [next, ...links.slice(1)]);
    if (reached) return reached;
  }
  return null;
}

for (const [who, paths] of Object.entries(PAGES)) {
  for (const path of paths.map((path) => [path].flat())) {
    test(`${who} at ${path.join(' ')}`, async () => {
      const page = await shop.browser.newPage({ storageState: kept[who], ...STILL });
      const answer = await reach(page, path);
      assert.ok(answer, 'there is no such link');
      assert.equal(answer.status(), path[0] === '/no-such-page' ? 404 : 200, page.url());
      assert.ok(!page.url().includes('/sign-in') || path[0] === '/sign-in', page.url());
      assert.deepEqual(await violations(page), [], 'in light');
      await page.emulateMedia({ colorScheme: 'dark' });
      assert.deepEqual(await violations(page), [], 'in dark');
      await page.setViewportSize({ width: 320, height: 640 });
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 320, `${width} pixels wide`);
      await page.close();
    });
  }
}

test('a name without a break widens no page', async () => {
  const page = await visit('/', { viewport: { width: 320, height: 640 } });
  const width = () => page.evaluate(() => document.documentElement.scrollWidth);
  const named = (tag, wrap = '') => page.evaluate(([tag, wrap]) => {
    const box = document.querySelector('main .wrap') ?? document.querySelector('main');
    const text = 'sub_01m5572vnzehvtkn3vbr5q4rem_'.repeat(3);
    box.insertAdjacentHTML('beforeend', `<div class="row apart"><${tag}>${text}</${tag}></div>`);
    box.lastElementChild.firstElementChild.style.overflowWrap = wrap;
  }, [tag, wrap]);
  for (const tag of ['h1', 'h2', 'h3']) {
    await named(tag);
    assert.ok(await width() <= 320, `${tag}: ${await width()} pixels wide`);
  }
  // What the rule is for: without it the same name is wider than the phone.
  await named('h3', 'normal');
  assert.ok(await width() > 320);
  await page.close();
});

test('axe finds what is wrong, in each colour scheme', async () => {
  const page = await shop.browser.newPage(STILL);
  await page.setContent(`<html lang="en"><head><title>t</title><style>
    p { color: #000; background: #fff }
    @media (prefers-color-scheme: dark) { p { color: #777; background: #888 } }
    </style></head><body><main><h1>h</h1><p>text</p></main></body></html>`);
  assert.deepEqual(await violations(page), []);
  await page.emulateMedia({ colorScheme: 'dark' });
  assert.match((await violations(page)).join(), /color-contrast/);
  await page.setContent('<html><body><img src="x"><button></button></body></html>');
  assert.ok((await violations(page)).length >= 2);
  await page.close();
});
