// A customer downloads a usage journal and verifies it in the browser: nothing of it is sent.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openShop, violations } from './shop.mjs';

let shop;
let journal;
before(async () => {
  shop = await openShop();
  journal = await download();
});
after(() => shop.close());

/** Signs in as the demo's customer and downloads what the shop accepted. */
async function download() {
  const page = await shop.browser.newPage();
  await page.goto(`${shop.url}/sign-in`);
  await page.locator('#email').fill('priya@customer.example');
  await page.locator('#password').fill(await password(page));
  await Promise.all([page.waitForNavigation(), page.locator('main form button.primary').click()]);
  await page.goto(`${shop.url}/usage`);
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByText('Download the usage journal').click(),
  ]);
  // What the browser keeps goes with its page.
  const path = join(mkdtempSync(join(tmpdir(), 'mintreu-usage-')), 'usage.mtu');
  await file.saveAs(path);
  await page.close();
  return path;
}

async function password(page) {
  const said = await page.locator('body').innerText();
  return said.match(/password is: (.+)/)[1];
}

/** Opens the page, counts the requests from then on, judges the file and gives the words. */
async function judge(path, drop) {
  const page = await shop.browser.newPage();
  await page.goto(`${shop.url}/verify-usage`);
  await page.locator('#verify[data-ready=yes]').waitFor();
  const requests = [];
  page.on('request', (request) => requests.push(request.url()));
  if (drop) {
    const bytes = [...readFileSync(path)];
    await page.evaluate((given) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(given)], 'usage.mtu'));
      const event = new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true });
      document.getElementById('verify').dispatchEvent(event);
    }, bytes);
  } else {
    await page.locator('#file').setInputFiles(path);
    await page.locator('#verify button[type=submit]').click();
  }
  await page.locator('#verdict h2').first().waitFor();
  const words = await page.locator('#verdict').innerText();
  return { page, words, requests };
}

for (const drop of [true, false]) {
  test(`a journal that is ${drop ? 'dropped' : 'chosen'} is judged on this machine`, async () => {
    const { page, words, requests } = await judge(journal, drop);
    assert.match(words, /The usage holds\./);
    assert.match(words, /nothing was sent/);
    assert.deepEqual(requests, [], 'nothing was asked for and nothing sent');
    assert.ok(await page.locator('svg.chain .mark').count() > 0, 'a picture of the chain');
    assert.ok(await page.locator('#verdict tbody tr').count() > 0, 'totals by meter');
    assert.deepEqual(await violations(page), []);
    await page.close();
  });
}

test('a changed journal does not hold, and it says where', async () => {
  const bytes = readFileSync(journal);
  bytes[Math.floor(bytes.length / 2)] ^= 1;
  const path = `${journal}.changed`;
  writeFileSync(path, bytes);
  const { page, words } = await judge(path, false);
  assert.match(words, /does not hold/);
  assert.match(words, /device \d+, segment \d+/);
  await page.close();
});

test('without scripts the file is sent, and the page says so', async () => {
  const context = await shop.browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${shop.url}/verify-usage`);
  const requests = [];
  page.on('request', (request) => requests.push(request.method()));
  await page.locator('#file').setInputFiles(journal);
  await Promise.all([
    page.waitForNavigation(),
    page.locator('#verify button[type=submit]').click(),
  ]);
  assert.ok(requests.includes('POST'), 'the control: what is sent is seen');
  const words = await page.locator('main').innerText();
  assert.match(words, /The usage holds\./);
  assert.match(words, /sent to the server and judged there/);
  await context.close();
});
