// The buy button on somebody else's page: there where its seller listed the host, and nowhere else.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { openShop, violations } from './shop.mjs';

let shop;
let listed;
let stranger;
before(async () => {
  shop = await openShop();
  [listed, stranger] = await Promise.all([blog('localhost'), blog('localhost')]);
  await allow(new URL(listed.url).host);
});
after(async () => {
  for (const one of [listed, stranger]) one.server.close();
  await shop.close();
});

/** A page of somebody's that asks for the button of a product. */
async function blog(host) {
  const text = () => `<!doctype html><html lang="en"><head><title>Blog</title></head><body><main>
    <h1>Blog</h1><div data-mintreu="hush" data-title="Buy Hush" data-quantity="2"></div></main>
    <script src="${shop.url}/embed.js" defer></script></body></html>`;
  const server = createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html; charset=utf-8');
    answer.end(text());
  });
  await new Promise((ready) => { server.listen(0, host, ready); });
  return { server, url: `http://${host}:${server.address().port}` };
}

/** The seller lists a host, on the seller's own page. */
async function allow(host) {
  const page = await shop.browser.newPage();
  await page.goto(`${shop.url}/sign-in`);
  await page.locator('#email').fill('mara@lichen.example');
  await page.locator('#password').fill('look around freely');
  const press = () => page.locator('main form button.primary').click();
  await Promise.all([page.waitForNavigation(), press()]);
  await page.goto(`${shop.url}/sell/embed`);
  await page.locator('#hosts').fill(host);
  await Promise.all([page.waitForNavigation(), press()]);
  await page.close();
}

/** The page with its frame loaded, and what the browser complained of. */
async function read(url) {
  const page = await shop.browser.newPage();
  const complaints = [];
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  await page.goto(url);
  await page.locator('iframe').waitFor({ state: 'attached' });
  await page.waitForLoadState('networkidle');
  return { page, frame: page.frameLocator('iframe'), complaints };
}

test('a listed host shows the button, which says how tall it is and leads out of the frame', async () => {
  const { page, frame, complaints } = await read(listed.url);
  const button = frame.getByRole('link');
  await button.waitFor();
  assert.deepEqual(complaints, []);
  assert.equal(await page.locator('iframe').getAttribute('title'), 'Buy Hush');
  // The frame told its height: it is no more what the script gave it at first.
  await page.waitForFunction(() => document.querySelector('iframe').style.blockSize !== '9rem');
  const [tall, needed] = await Promise.all([
    page.locator('iframe').evaluate((box) => box.clientHeight),
    frame.locator('body').evaluate(() => document.documentElement.scrollHeight),
  ]);
  assert.ok(tall >= needed, `${tall} of ${needed} pixels`);
  assert.deepEqual(await violations(page), []);
  await Promise.all([page.waitForNavigation(), button.click()]);
  const to = new URL(page.url());
  assert.equal(to.origin, shop.url);
  assert.equal(to.pathname, '/checkout/hush');
  assert.equal(to.searchParams.get('from'), 'seller');
  assert.equal(to.searchParams.get('quantity'), '2');
  await page.close();
});

test('another host is refused by the browser, and is told nothing', async () => {
  const { page, frame, complaints } = await read(stranger.url);
  assert.equal(await frame.getByRole('link').count(), 0);
  assert.ok(complaints.some((one) => one.includes('frame-ancestors')), complaints.join('\n'));
  assert.equal(await page.locator('iframe').evaluate((box) => box.style.blockSize), '9rem');
  await page.close();
});
