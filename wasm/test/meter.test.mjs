// Prices and the meter that lasts as long as the page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Meter, bill, price } from 'mintreu-wasm';

const DAY = 86_400_000;
const NOON = 20_776 * DAY + DAY / 2;

test('a price adds up', () => {
  const rated = price('EUR graduated 1000=0.01 *=0.005; free 500', 2500);
  assert.equal(rated.total.text, '15.00 EUR');
  const sum = rated.lines.reduce((total, { amount }) => total + amount.minor, 0n);
  assert.equal(sum, rated.total.minor);
  assert.deepEqual(rated.lines.map(({ kind }) => kind), ['free', 'tier', 'tier']);
});

test('a bill burns credits and takes exact quantities of every kind', () => {
  const seen = ['9007199254740993', 9007199254740993n].map((quantity) => price('JPY per_unit 1', quantity));
  assert.deepEqual(seen[0].total, seen[1].total);
  const tariff = 'USD per_unit 0.10';
  const { cost, total, lines, burns } = bill([{ name: 'calls', tariff, quantity: 30 }], {
    commitment: '5.00', credits: [{ id: 'gift', amount: '1.50' }], at: NOON,
  });
  assert.deepEqual([cost.text, total.text], ['5.00 USD', '3.50 USD']);
  assert.deepEqual(lines.map(({ charge, unit }) => [charge, unit]), [['calls', '0.10'], [null, null], [null, null]]);
  assert.equal(burns[0].amount.minor, 150n);
});

test('a tariff that is none is refused with a code', () => {
  assert.throws(() => price('EUR flat', 1), { code: 'tariff_invalid', name: 'MintreuError' });
  assert.throws(() => price('EUR flat 1', 0.5), { code: 'units_invalid' });
});

test('a quota ends and begins again with its window', () => {
  const meter = new Meter();
  meter.limit('renders', 2, 'day');
  assert.equal(meter.consume('renders', 2, undefined, NOON).remaining, 0);
  const refused = meter.consume('renders', 1, undefined, NOON);
  assert.deepEqual([refused.granted, refused.reason], [false, 'quota_spent']);
  assert.equal(refused.resetsAt, NOON + DAY / 2);
  assert.ok(meter.consume('renders', 1, undefined, refused.resetsAt).granted);
});

test('counts are kept by subject and dimension', () => {
  const meter = new Meter();
  meter.record('calls', 2, { subject: 'a', dimensions: { region: 'eu' } });
  meter.record('calls', 3, { subject: 'b' });
  meter.record('calls', 1, { subject: 'a', dimensions: { region: 'eu' } });
  const counted = meter.usage().map(({ subject, units }) => [subject, units]);
  assert.deepEqual(Object.fromEntries(counted), { a: 3n, b: 3n });
  assert.throws(() => meter.record('calls', 1, { dimensions: { region: 7 } }), {
    code: 'dimension_invalid',
  });
  assert.throws(() => meter.limit('calls', 1, 'fortnight'));
});
