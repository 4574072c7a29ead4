// The example as its customers meet it, started as a program.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const { cases } = JSON.parse(readFileSync(join(process.env.MINTREU_VECTORS, 'licenses.json'), 'utf8'));
const { trust } = cases.find((one) => one.name === 'without end, in the far future');

test('keys are let in, counted and refused', async () => {
  const program = spawn(process.execPath, [new URL('server.mjs', import.meta.url).pathname], {
    env: {
      ...process.env,
      MINTREU_FOLDER: mkdtempSync(join(tmpdir(), 'mintreu-express-')),
      MINTREU_TRUST: trust,
      MINTREU_SECRET: '07'.repeat(32),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  program.stdout.setEncoding('utf8').on('data', (text) => (said += text));
  const over = new Promise((resolve) => program.on('exit', resolve));
  try {
    while (!said.includes('listening on')) {
      assert.equal(program.exitCode, null, said);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const port = /listening on (\d+)/.exec(said)[1];
    const get = (headers) => fetch(`http://127.0.0.1:${port}/hello`, { headers });
    for (const left of [2, 1, 0]) {
      const response = await get({ 'x-api-key': 'key-of-ada' });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('ratelimit-policy'), '"api.calls";q=3, "requests";q=20;w=1');
      assert.equal((await response.json()).left, left);
    }
    const spent = await get({ 'x-api-key': 'key-of-ada' });
    assert.equal(spent.status, 429);
    assert.ok(Number(spent.headers.get('retry-after')) > 0);
    assert.equal((await spent.json()).code, 'quota_spent');
    assert.equal((await get({ authorization: 'Bearer key-of-bob' })).status, 200);
    assert.equal((await get({ 'x-api-key': 'a guess' })).status, 401);
  } finally {
    program.kill('SIGTERM');
    await over;
  }
  const counted = [...said.matchAll(/counted \w{26} (\d+)/g)].map(([, units]) => units).sort();
  assert.deepEqual(counted, ['1', '3'], said);
});
