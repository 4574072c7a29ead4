// Syncs against a server that has too much to do, and one that isn't there.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Engine, retryAfter, sync } from 'mintreu';
import { forever } from './tamper.mjs';

function licensed() {
  const path = mkdtempSync(join(tmpdir(), 'mintreu-node-'));
  const engine = Engine.open(path, { trust: forever.trust });
  engine.install(forever.license);
  return engine;
}

// Answers each request by the next of `answers`, the last one for ever; keeps when it did.
async function busy(t, answers) {
  const asked = [];
  const server = createServer((request, response) => {
    const [status, headers] = answers.length > 1 ? answers.shift() : answers[0];
    asked.push({ at: performance.now(), path: request.url });
    request.resume().on('end', () => response.writeHead(status, headers).end());
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${server.address().port}`, asked, answers };
}

// An engine with so many questions, that asks again in its next round what wasn't answered.
class Asks {
  constructor(...questions) {
    this.open = questions;
    this.round = [...questions];
  }

  nextRequest() {
    if (this.round.length === 0) {
      this.round = [...this.open];
      return null;
    }
    this.last = this.round.shift();
    return { method: 'POST', path: this.last, contentType: 'text/plain', body: Buffer.from('?') };
  }

  onResponse(status) {
    if (status === 503) throw Object.assign(new Error('later'), { code: 'server_unavailable' });
    this.open = this.open.filter((question) => question !== this.last);
  }
}

test('a busy server is asked again when it says', async (t) => {
  const { url, asked } = await busy(t, [[503, { 'retry-after': '2' }], [204, {}]]);
  const engine = new Asks('/time', '/keys');
  assert.equal(await sync(engine, url), 2);
  assert.deepEqual(asked.map(({ path }) => path), ['/time', '/keys', '/time']);
  const waits = [asked[1].at - asked[0].at, asked[2].at - asked[1].at];
  assert.ok(waits[0] >= 1990 && waits[0] < 4000, `${waits}`);
  assert.ok(waits[1] < 1000, 'who is answered goes on');
  assert.deepEqual(engine.open, []);
});

test('patience ends, and the error says when to come back', async (t) => {
  const { url, asked } = await busy(t, [[429, { 'retry-after': '120' }]]);
  const later = await sync(licensed(), url).catch((error) => error);
  assert.equal(later.code, 'server_unavailable');
  assert.equal(asked.length, 1, 'a server’s word is not undercut');
  assert.ok(later.retryAfterMs >= 120_000 && later.retryAfterMs <= 180_000, `${later.retryAfterMs}`);
});

test('waits double over calls, and start anew after an answer', async (t) => {
  const { url, answers } = await busy(t, [[503, {}]]);
  const engine = licensed();
  const waits = async (least) => {
    const { code, retryAfterMs } = await sync(engine, url, { patienceMs: 0 }).catch((error) => error);
    assert.equal(code, 'server_unavailable');
    assert.ok(retryAfterMs >= least && retryAfterMs <= 1.5 * least, `${retryAfterMs}`);
  };
  for (const least of [1000, 2000, 4000]) await waits(least);
  answers[0] = [404, {}];
  await assert.rejects(sync(engine, url), { code: 'sync_refused' });
  answers[0] = [503, {}];
  await waits(1000);
});

test('a refusal is not tried again', async (t) => {
  const { url, asked } = await busy(t, [[422, {}]]);
  const refused = await sync(licensed(), url).catch((error) => error);
  assert.deepEqual([refused.code, refused.retryAfterMs, asked.length], ['sync_refused', undefined, 1]);
});

test('no server at all', async () => {
  const fetch = async () => {
    throw new Error('connection refused');
  };
  const later = await sync(licensed(), 'http://127.0.0.1:1', { fetch, patienceMs: 0 }).catch((error) => error);
  assert.equal(later.code, 'server_unavailable');
  assert.ok(later.retryAfterMs >= 1000 && later.retryAfterMs <= 1500);
});

test('how long to wait', () => {
  const waits = Array.from({ length: 200 }, () => retryAfter('30', 1));
  assert.ok(Math.min(...waits) >= 30_000 && Math.max(...waits) <= 45_000);
  assert.ok(new Set(waits).size > 1, 'spread');
  const longest = retryAfter(null, 100);
  assert.ok(longest >= 3_600_000 && longest <= 5_400_000);
  assert.ok(retryAfter('Wed, 21 Oct 2026 07:28:00 GMT', 1) <= 1500);
  assert.throws(() => retryAfter(null, -1), { code: 'units_invalid' });
});
