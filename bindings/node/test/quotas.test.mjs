// How quotas stand, alerts, and reservations that outlive their process.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { Engine } from 'mintreu';
import { forever } from './tamper.mjs';
import { licenses } from './vectors.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const alerting = licenses().find(({ name }) => name === 'alerts');
const folder = () => mkdtempSync(join(tmpdir(), 'mintreu-node-'));

function licensed({ trust, license } = forever, path = folder()) {
  const engine = Engine.open(path, { trust });
  engine.install(license);
  return engine;
}

test('a quota says how it stands', () => {
  const engine = licensed();
  engine.consume('renders', 120);
  const [status, ...others] = engine.quotas();
  assert.ok(status.resetsAt > Date.now());
  assert.deepEqual(status, {
    meter: 'renders', window: 'month', limit: 500, used: 120, remaining: 380, overage: 0, credits: 0,
    resetsAt: status.resetsAt,
  });
  assert.deepEqual(others, []);
  assert.equal(engine.quota('renders').used, 120);
  assert.equal(engine.quota('api.calls'), null);
});

test('without a license there is no quota', () => {
  const engine = Engine.open(folder(), { trust: forever.trust });
  assert.deepEqual([engine.quotas(), engine.alerts()], [[], []]);
});

test('an alert is told once', () => {
  const engine = licensed(alerting);
  assert.equal(engine.consume('renders', 399).crossed, null);
  assert.deepEqual(engine.alerts(), []);
  assert.equal(engine.consume('renders', 1).crossed, 80);
  assert.deepEqual(engine.alerts(), [], 'it was told in the decision');
  const hold = engine.reserve('renders', 100);
  const [{ meter, percent, status }] = engine.alerts();
  assert.deepEqual([meter, percent, status.remaining], ['renders', 100, 0]);
  assert.deepEqual(engine.alerts(), []);
  hold.release();
});

test('a reservation says what it holds and until when', () => {
  const engine = licensed();
  const hold = engine.reserve('renders', 300, 60);
  const left = hold.expiresAt - Date.now();
  assert.ok(left > 50_000 && left <= 60_000, `${left}`);
  assert.equal(hold.units, 300);
  assert.equal(engine.quota('renders').remaining, 200);
  assert.throws(() => engine.meter('renders').reserve(201, 60), { code: 'quota_spent' });
  hold.commit(350);
  assert.equal(engine.meter('renders').counted, 350n, 'more than was held is counted all the same');
  assert.equal(engine.quota('renders').used, 350, 'and taken from the quota');
  for (const wrong of [-1, 0.5, NaN]) {
    assert.throws(() => engine.reserve('renders', 1, wrong), { code: 'units_invalid' });
  }
});

const HOLDER = `
  import { Engine } from 'mintreu';
  const [path, trust] = process.argv.slice(1);
  const engine = Engine.open(path, { trust });
  globalThis.hold = engine.reserve('renders', 400, 4);
  console.log(hold.expiresAt);
  setTimeout(() => {}, 600_000);
`;

test('a reservation outlives its process and ends by itself', async () => {
  const path = folder();
  const engine = licensed(forever, path);
  const started = ['--input-type=module', '-e', HOLDER, path, forever.trust];
  const holder = spawn(process.execPath, started, { cwd: HERE, stdio: ['ignore', 'pipe', 'inherit'] });
  const [printed] = await once(holder.stdout, 'data');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const until = Number(printed);
  assert.equal(engine.quota('renders').remaining, 100);
  assert.equal(engine.consume('renders', 101).reason, 'quota_spent');
  assert.ok(Date.now() < until, 'the machine was too slow for this test');
  await sleep(until - Date.now() + 100);
  assert.ok(engine.consume('renders', 500).granted);
  assert.ok(!engine.consume('renders', 1).granted);
});
