// The engine from Node: licenses, counts, reservations, sync.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Engine, sync, verdict, verify } from 'mintreu';
import { forever } from './tamper.mjs';

const folder = () => mkdtempSync(join(tmpdir(), 'mintreu-node-'));

function licensed() {
  const engine = Engine.open(folder(), { trust: forever.trust });
  engine.install(forever.license);
  return engine;
}

test('a license opens features', () => {
  const engine = licensed();
  assert.equal(engine.check('export-4k'), true);
  assert.equal(engine.check('projects'), 50);
  assert.equal(engine.check('region'), 'eu');
  assert.throws(() => engine.check('teleport'), { code: 'not_entitled' });
  assert.equal(engine.verdict().code, 'valid');
  assert.deepEqual(engine.recovered, []);
});

test('without a license nothing is allowed', () => {
  const engine = Engine.open(folder(), { trust: forever.trust });
  assert.throws(() => engine.check('export-4k'), { code: 'not_licensed' });
  assert.equal(engine.consume('renders').granted, false);
});

test('a code asks for its activation offline', () => {
  const engine = Engine.open(folder(), { trust: forever.trust });
  assert.throws(() => engine.activationRequest(), { code: 'nothing_to_activate' });
  engine.install('ACMHG-G20XB-B91JV-M18AA');
  const asked = engine.activationRequest();
  assert.match(asked, /^MT1-/);
  assert.equal(asked, engine.activationRequest());
});

test('a seller’s own key asks too, and a mistyped code does not', () => {
  const engine = Engine.open(folder(), { trust: forever.trust });
  engine.exchange(' OLD-KEY-of-another-shop ');
  assert.match(engine.activationRequest(), /^MT1-/);
  assert.throws(() => engine.exchange('short'), { code: 'seller_key_malformed' });
  assert.throws(() => engine.install('ACMHG-G20XB-B91JV-M18AB'), { code: 'code_mistyped' });
});

test('a seat is given back and asked for again', () => {
  const engine = licensed();
  const { id } = verify(forever.license, forever.trust);
  assert.throws(() => engine.deactivate(), { code: 'nothing_activated' });
  assert.throws(() => engine.borrow(86_400), { code: 'nothing_activated' });
  assert.throws(() => engine.borrow(-1), { code: 'units_invalid' });
  assert.equal(engine.seatEndsAt(id), null);
  engine.activate(id);
  assert.match(engine.activationRequest(), /^MT1-/);
  const other = 'lic_00000000000000000000000001';
  assert.throws(() => engine.activate(other), { code: 'not_licensed' });
});

test('what was installed is said in a word', () => {
  const engine = licensed();
  assert.equal(engine.install(forever.license), 'license');
  assert.equal(engine.install('ACMHG-G20XB-B91JV-M18AA'), 'code');
});

test('a question for the time is a text', () => {
  const engine = licensed();
  const asked = engine.timeRequest();
  assert.match(asked, /^MT1-/);
  assert.equal(asked, engine.timeRequest());
  assert.throws(() => engine.install(asked), { code: 'wrong_kind' });
});

for (const given of ['keySets', 'revocations']) {
  test(`${given} are part of a verdict`, () => {
    const judged = (texts) => verdict(forever.license, forever.trust, { [given]: texts }).code;
    assert.equal(judged([]), 'valid');
    assert.equal(judged(['no document']), 'malformed');
    assert.equal(judged([forever.license]), 'wrong_kind');
  });
}

test('a quota ends', () => {
  const engine = licensed();
  const decision = engine.consume('renders', 499);
  assert.deepEqual([decision.granted, decision.remaining, decision.reason], [true, 1, null]);
  assert.ok(decision.resetsAt > Date.now());
  assert.ok(engine.consume('renders').granted);
  assert.equal(engine.consume('renders').reason, 'quota_spent');
});

test('a reservation gives back what was not used', () => {
  const engine = licensed();
  const hold = engine.reserve('renders', 400);
  hold.commit(100);
  engine.reserve('renders', 300).release();
  assert.equal(engine.consume('renders', 400).remaining, 0);
  assert.throws(() => engine.reserve('renders', 1), { code: 'quota_spent' });
  assert.throws(() => hold.commit(1), { code: 'reservation_over' });
});

test('counts are exact, by subject and dimension', () => {
  const engine = licensed();
  const meter = engine.meter('api.calls', { subject: 'customer-7', dimensions: { region: 'eu' } });
  for (let call = 0; call < 10_000; call += 1) meter.record();
  meter.record(5);
  const [usage] = engine.usage();
  assert.deepEqual([usage.subject, usage.dimensions], ['customer-7', { region: 'eu' }]);
  assert.deepEqual([usage.counted, meter.counted], [10_005n, 10_005n]);
});

test('units are checked', () => {
  const meter = licensed().meter('api.calls');
  for (const wrong of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
    assert.throws(() => meter.record(wrong), { code: 'units_invalid' });
  }
  assert.throws(() => meter.record('many'));
  assert.equal(meter.counted, 0n);
});

test('a folder may be open more than once: what is counted adds up', () => {
  const path = folder();
  const engines = [1, 2].map(() => Engine.open(path, { trust: forever.trust }));
  assert.equal(engines[0].device, engines[1].device);
  engines[0].record('api.calls', 3);
  engines[1].record('api.calls', 4);
  assert.equal(engines[0].meter('api.calls').counted, 7n);
});

test('a server that is down loses nothing', async () => {
  const engine = licensed();
  engine.record('api.calls', 3);
  const server = createServer((request, response) => {
    response.statusCode = 503;
    request.resume().on('end', () => response.end());
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    if (engine.nextRequest() !== null) {
      const url = `http://127.0.0.1:${server.address().port}`;
      await assert.rejects(sync(engine, url, { patienceMs: 0 }), { code: 'server_unavailable' });
    }
  } finally {
    server.close();
  }
  assert.equal(engine.meter('api.calls').counted, 3n);
});
