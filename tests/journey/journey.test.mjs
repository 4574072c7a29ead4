// The whole line through the house, driven as people and programs would drive it:
//
// a developer lists a product, a customer buys it, three languages verify the license with the
// network off, a program counts about ten thousand calls while it is killed twenty times, a bad
// line carries the usage, and the customer's page and bill show exactly what was counted.
//
// Once on SQLite and once on PostgreSQL (MINTREU_TEST_POSTGRES). Needs MINTREU_BIN (the server),
// PYTHON (with the `mintreu` wheel), NODE_PATH (with `mintreu` and `mintreu-wasm`) and
// NODE_TOOLS (with playwright-core).
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const { MINTREU_BIN, PYTHON, NODE_TOOLS, MINTREU_TEST_POSTGRES } = process.env;
const { chromium } = createRequire(join(NODE_TOOLS, 'package.json'))('playwright-core');

const KILLS = 20;
const RECORDS = 10_000;
const FREE = 1_000;
// 0.35 cents a call, so that a rounding mistake shows in the total.
const HUNDREDTHS_OF_A_CENT = 35;
const PASSWORD = 'seven quiet herons at dusk';
const BROWSER = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** Half to even, in whole hundredths of a cent: what the bill must say, worked out apart. */
function expectedCents(calls) {
  const hundredths = Math.max(0, calls - FREE) * HUNDREDTHS_OF_A_CENT;
  const [whole, rest] = [Math.floor(hundredths / 100), hundredths % 100];
  return rest > 50 || (rest === 50 && whole % 2 === 1) ? whole + 1 : whole;
}

async function startServer(folder, database) {
  const args = ['demo', '--json', '--listen', '127.0.0.1:0', '--folder', folder];
  if (database) args.push('--database', database);
  const server = spawn(MINTREU_BIN, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let talk = '';
  server.stderr.on('data', (chunk) => { talk = (talk + chunk).slice(-8000); });
  const line = await Promise.race([
    once(server.stdout, 'data').then(([chunk]) => String(chunk)),
    once(server, 'exit').then(() => { throw new Error(`the server ended:\n${talk}`); }),
  ]);
  return { server, url: JSON.parse(line.split('\n')[0]).url };
}

async function freshDatabase() {
  const name = `journey_${randomBytes(6).toString('hex')}`;
  const made = spawnSync('psql', ['-d', MINTREU_TEST_POSTGRES, '-qc', `CREATE DATABASE ${name}`]);
  assert.equal(made.status, 0, String(made.stderr));
  const url = new URL(MINTREU_TEST_POSTGRES);
  url.pathname = `/${name}`;
  return url.toString();
}

/** Runs a program to its end; its standard output. `codes` are the exit codes that are fine. */
async function run(command, args, codes = [0]) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => { out += chunk; });
  child.stderr.on('data', (chunk) => { err += chunk; });
  const [code] = await once(child, 'close');
  assert.ok(codes.includes(code), `${command} ${args[0]} ended with ${code}:\n${err}`);
  return { code, out };
}

/** The same without a network: in a network namespace of its own, where even loopback is down. */
function runOffline(command, args) {
  const namespace = process.getuid() === 0 ? ['-n'] : ['-rn'];
  return run('unshare', [...namespace, command, ...args]);
}

async function signUp(page, url, name, email, next) {
  await page.goto(`${url}/sign-up?next=${encodeURIComponent(next)}`);
  await page.fill('[name=name]', name);
  await page.fill('[name=email]', email);
  await page.fill('[name=password]', PASSWORD);
  await page.locator('main form button').first().click();
  await page.waitForURL(`${url}${next}`);
}

async function listProduct(page, url) {
  await signUp(page, url, 'Ada Field', 'ada@journey.example', '/sell');
  await page.fill('form[action="/sell/open"] [name=name]', 'Field Instruments');
  await page.click('form[action="/sell/open"] button');
  await page.goto(`${url}/sell/products/new`);
  const form = {
    name: 'Tide Tables', summary: 'Tide predictions by the call.', code: 'journey.tides',
    slug: 'tide-tables', description: 'Heights and times for any harbour.',
    price1_amount: '49.00', entitlements: 'forecast\nharbours = 12',
    meter1_name: 'api.calls', meter1_unit: 'call',
    meter1_tariff: `EUR per_unit 0.0035; free ${FREE}`,
  };
  await page.selectOption('[name=kind]', 'api');
  await page.locator('[name=category]').selectOption({ index: 1 });
  await page.selectOption('[name=price1_model]', 'one_time');
  for (const [name, value] of Object.entries(form)) await page.fill(`[name=${name}]`, value);
  await page.click('button[value=publish]');
  await page.goto(`${url}/p/tide-tables`);
  assert.match(await page.textContent('main'), /Tide Tables/);
}

/** Buys with the card that asks for a proof of identity and whose webhooks come thrice. */
async function buy(page, url) {
  await signUp(page, url, 'Bo Customer', 'bo@journey.example', '/licenses');
  await page.goto(`${url}/p/tide-tables`);
  await page.locator('.buy form button.primary').click();
  assert.match(await page.textContent('main'), /49[.,]00/);
  await page.check('[name=waiver]');
  await page.locator('main form button.primary').click();
  await page.waitForURL(/\/sandbox\/pay\//);
  await page.check('[name=choice][value=duplicate]');
  await page.locator('form button').first().click();
  await page.waitForURL(/\/orders\//);
  const license = page.locator('a[href^="/licenses/lic_"]').first();
  await license.waitFor({ timeout: 20_000 });
  const address = (await license.getAttribute('href')).split('?')[0];
  const code = (await page.locator('main .keybox output').first().textContent()).trim();
  const base = address.match(/^\/licenses\/lic_[a-z0-9]+/)[0];
  const file = await page.request.get(`${url}${base}/license.mtl`);
  assert.equal(file.status(), 200);
  return { code, license: base.slice('/licenses/'.length), file: await file.text() };
}

/** Lets the recorder run until the witness has seen enough, then kills it without warning. */
async function recordUntilKilled(folder, trust, enough) {
  const args = [join(here, 'record.py'), folder, trust, 'api.calls'];
  const child = spawn(PYTHON, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const seen = { started: 0, acknowledged: 0 };
  let err = '';
  child.stderr.on('data', (chunk) => { err += chunk; });
  child.stdout.on('data', (chunk) => {
    for (const byte of chunk) seen[byte === 0x73 ? 'started' : 'acknowledged'] += 1;
    if (seen.acknowledged >= enough) child.kill('SIGKILL');
  });
  const [, signal] = await once(child, 'close');
  assert.equal(signal, 'SIGKILL', err);
  return seen;
}

/** What is wrong with a count, by what a witness saw; nothing when it is within the bounds. */
function wrongCount(witness, counted) {
  if (counted < witness.acknowledged) return 'something acknowledged was lost';
  if (counted > witness.started) return 'something was counted that was never started';
  return null;
}

async function countedIn(folder, trust) {
  const script = 'import mintreu, sys; folder, trust = sys.argv[1:]; ' +
    "print(mintreu.Engine(folder, trust=trust).meter('api.calls').counted)";
  return Number((await run(PYTHON, ['-c', script, folder, trust])).out);
}

/** Carries everything over the bad line; every failed try is a crash, and starts again. */
async function carryAll(folder, trust, url, seed, code) {
  const fates = {};
  for (let attempt = 0; attempt < 60; attempt += 1) {
    const args = [join(here, 'carry.py'), folder, trust, url, String(seed + attempt)];
    if (code && attempt === 0) args.push('install', code);
    const { code: end, out } = await run(PYTHON, args, [0, 3]);
    const said = JSON.parse(out);
    for (const fate of said.fates) fates[fate] = (fates[fate] ?? 0) + 1;
    if (end === 0) return { fates, usage: said.usage };
  }
  return assert.fail('the bad line never let everything through');
}

function journey(engine, database) {
  describe(`the journey on ${engine}`, { timeout: 300_000 }, () => {
    const home = mkdtempSync(join(tmpdir(), 'mintreu-journey-'));
    const device = join(home, 'device');
    let shop, browser, seller, customer, trust, bought, counted;

    before(async () => {
      shop = await startServer(join(home, 'shop'), await database());
      browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: BROWSER });
      const context = () => browser.newContext({ locale: 'en-US', javaScriptEnabled: true });
      seller = await (await context()).newPage();
      customer = await (await context()).newPage();
    });

    after(async () => {
      await browser?.close();
      if (shop) {
        shop.server.kill('SIGTERM');
        await once(shop.server, 'exit');
      }
      rmSync(home, { recursive: true, force: true });
    });

    test('a developer lists a product and a customer buys it', async () => {
      await listProduct(seller, shop.url);
      bought = await buy(customer, shop.url);
      const answer = await customer.request.get(`${shop.url}/v1/products/tide-tables/trust`);
      const body = await answer.text();
      trust = body.startsWith('{') ? JSON.parse(body).trust : body.trim();
      assert.match(trust, /journey\.tides/);
    });

    test('Python, Node and WebAssembly verify the license with the network off', async () => {
      const file = join(home, 'license.mtl');
      writeFileSync(file, bought.file);
      const { hostname, port } = new URL(shop.url);
      const tail = [file, trust, hostname, port];
      const verdicts = [
        await runOffline(PYTHON, [join(here, 'offline.py'), ...tail]),
        await runOffline(process.execPath, [join(here, 'offline.cjs'), 'mintreu', ...tail]),
        await runOffline(process.execPath, [join(here, 'offline.cjs'), 'mintreu-wasm', ...tail]),
      ].map(({ out }) => JSON.parse(out));
      for (const said of verdicts) {
        assert.equal(said.id, bought.license);
        assert.equal(said.product, 'journey.tides');
        assert.deepEqual(said, verdicts[0]);
      }
    });

    test('calls are counted through twenty kills, as a witness saw them', async () => {
      await carryAll(device, trust, shop.url, 1, bought.code);
      const witness = { started: 0, acknowledged: 0 };
      const fates = { 'never sent': 0, 'answer lost': 0, 'sent twice': 0 };
      let usage = [];
      for (let kill = 0; kill < KILLS; kill += 1) {
        const seen = await recordUntilKilled(device, trust, RECORDS / KILLS);
        witness.started += seen.started;
        witness.acknowledged += seen.acknowledged;
        // Usage is sent between kills too, so that the line has many chances to fail.
        const sent = await carryAll(device, trust, shop.url, 100 * (kill + 1));
        for (const [fate, times] of Object.entries(sent.fates)) {
          fates[fate] = (fates[fate] ?? 0) + times;
        }
        usage = sent.usage;
      }
      const calls = usage.find((cell) => cell.meter === 'api.calls');
      counted = calls.counted;
      console.log(JSON.stringify({ engine, witness, counted, fates }));
      assert.ok(Object.values(fates).every((times) => times > 0), 'the line failed in every way');
      assert.ok(witness.acknowledged >= RECORDS);
      assert.equal(wrongCount(witness, counted), null);
      assert.equal(calls.acknowledged, counted, 'the server has acknowledged it all');
    });

    test('the witness notices a count that was lost', async () => {
      // A folder put back from a copy has lost what was counted since: the control of the test above.
      const [used, copy] = [join(home, 'used'), join(home, 'copy')];
      cpSync(device, used, { recursive: true });
      cpSync(device, copy, { recursive: true });
      const before = await countedIn(used, trust);
      const seen = await recordUntilKilled(used, trust, 100);
      const witness = {
        started: before + seen.started, acknowledged: before + seen.acknowledged,
      };
      assert.equal(wrongCount(witness, await countedIn(used, trust)), null);
      const lost = wrongCount(witness, await countedIn(copy, trust));
      assert.equal(lost, 'something acknowledged was lost');
    });

    test('the page shows what was counted, and the bill is right to the cent', async () => {
      const shown = new Intl.NumberFormat('en-US').format(counted);
      await customer.goto(`${shop.url}/usage`);
      const usage = await customer.textContent('main');
      assert.ok(usage.includes(shown), `the usage page shows ${shown}:\n${usage}`);

      const billed = await customer.evaluate(async (license) => {
        const ask = () => fetch('/v1/usage/bill', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ license }),
        }).then(async (answer) => ({ status: answer.status, body: await answer.json() }));
        return [await ask(), await ask()];
      }, bought.license);
      assert.deepEqual(billed.map(({ status }) => status), [200, 200]);
      const { invoice } = billed[0].body;
      assert.equal(billed[1].body.invoice ?? null, null, 'asking again bills nothing');

      const cents = expectedCents(counted);
      assert.equal(invoice.total_minor, cents);
      await customer.goto(`${shop.url}/invoices/${invoice.invoice_id}`);
      const page = await customer.textContent('main');
      const euros = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2 }).format(cents / 100);
      assert.ok(page.includes(euros), `the invoice shows ${euros}:\n${page}`);
      assert.ok(page.includes(new Intl.NumberFormat('en-US').format(counted - FREE)) ||
        page.includes(shown), `the invoice shows the quantity:\n${page}`);
    });

    test('the developer sees the same usage', async () => {
      await seller.goto(`${shop.url}/sell/usage`);
      const text = await seller.textContent('main');
      assert.ok(text.includes(new Intl.NumberFormat('en-US').format(counted)), text);
    });
  });
}

journey('SQLite', async () => null);
if (MINTREU_TEST_POSTGRES) journey('PostgreSQL', freshDatabase);
else test('the journey on PostgreSQL', () => assert.fail('MINTREU_TEST_POSTGRES is not set'));
