// Events, batches, and counts that survive a power cut.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Engine } from 'mintreu';
import { forever } from './tamper.mjs';

const folder = () => mkdtempSync(join(tmpdir(), 'mintreu-node-'));
const opened = (path, more) => Engine.open(path, { trust: forever.trust, ...more });

// Which of the words the journal holds.
function onTheDisk(path, words) {
  const files = readdirSync(path).filter((name) => name.startsWith('journal.db'));
  const journal = Buffer.concat(files.map((name) => readFileSync(join(path, name))));
  return words.filter((word) => journal.includes(word));
}

test('an event is kept once by its id', () => {
  const path = folder();
  const engine = opened(path);
  const job = { id: 'job-81', meter: 'renders', value: '12.75' };
  engine.recordEvents([{ ...job, subject: 'told-first' }]);
  engine.recordEvents([
    { ...job, subject: 'told-again' },
    { id: 'job-82', meter: 'renders', subject: 'another', at: Date.now() },
  ]);
  const words = ['told-first', 'told-again', 'another'];
  assert.deepEqual(onTheDisk(path, words), ['told-first', 'another']);
});

test('a handle keeps events, and they add nothing to the count', () => {
  const path = folder();
  const jobs = opened(path).meter('jobs', { subject: 'customer-7' });
  jobs.event('job-1');
  jobs.event('job-2', '-0.5');
  jobs.event('job-2', 99n);
  jobs.event('job-3', -7);
  assert.equal(jobs.counted, 0n);
  assert.deepEqual(onTheDisk(path, ['job-1', 'job-3', 'job-4']), ['job-1', 'job-3']);
});

test('what is no event is refused, and nothing of its batch is kept', () => {
  const path = folder();
  const engine = opened(path);
  const jobs = engine.meter('jobs');
  for (const id of ['', 'x'.repeat(65)]) {
    assert.throws(() => jobs.event(id), { code: 'event_id_invalid' });
  }
  for (const value of [0.5, NaN, 2 ** 53, 2n ** 64n, '1e3', 'many']) {
    assert.throws(() => jobs.event('job', value), { code: 'decimal_invalid' });
  }
  const late = { id: 'job-late', meter: 'jobs' };
  assert.throws(() => engine.recordEvents([late, { ...late, id: '' }]), { code: 'event_id_invalid' });
  assert.throws(() => engine.recordEvents([{ ...late, at: NaN }]), { code: 'instant_invalid' });
  assert.throws(() => engine.recordEvents([late, 'no event']));
  assert.deepEqual(onTheDisk(path, ['job-late']), []);
});

test('power outlives the counter file, and process does not', () => {
  const path = folder();
  const engine = opened(path);
  const tokens = engine.meter('tokens', { durability: 'power' });
  const calls = engine.meter('calls');
  assert.deepEqual([tokens.durability, calls.durability], ['power', 'process']);
  tokens.record(40);
  tokens.recordBatch([1, 1]);
  engine.recordBatch([[tokens, 3], [calls, 9]]);
  assert.deepEqual([tokens.counted, calls.counted], [45n, 9n]);
  // The engine is still open here: what a cut leaves is the journal without the counters.
  const after = folder();
  cpSync(path, after, { recursive: true });
  rmSync(join(after, 'counters'));
  const again = opened(after);
  assert.deepEqual(again.recovered, ['cell_behind'], 'raised to what the journal has of it');
  assert.deepEqual(['tokens', 'calls'].map((name) => again.meter(name).counted), [45n, 0n]);
});

test('batches and durabilities are checked', () => {
  const engine = opened(folder());
  const meter = engine.meter('calls');
  assert.throws(() => engine.meter('calls', { durability: 'volatile' }), { code: 'durability_unknown' });
  assert.throws(() => meter.recordBatch([1, -1]), { code: 'units_invalid' });
  assert.throws(() => engine.recordBatch([[meter, 1], [meter, 0.5]]), { code: 'units_invalid' });
  assert.throws(() => engine.recordBatch([[{}, 1]]));
  assert.equal(meter.counted, 0n, 'nothing of a batch that is none');
  meter.recordBatch([]);
  engine.recordBatch([[meter, 2], [meter, 3]]);
  assert.equal(meter.counted, 5n);
});

test('a pace of one’s own', () => {
  const engine = opened(folder(), { pace: { flushMs: 0, sealMs: 500 } });
  engine.record('calls', 3);
  engine.flush();
  assert.equal(engine.sealWhenDue(), false, 'nothing is sealed before a seat is taken');
  assert.throws(() => opened(folder(), { pace: { flushMs: -1 } }), { code: 'units_invalid' });
});

test('without acknowledged usage there is no checkpoint', () => {
  assert.deepEqual(opened(folder()).checkpoints(), []);
});
