// The same module in a page: every license vector, judged by Chromium.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { licenses } from './vectors.mjs';

const { chromium } = createRequire(`${process.env.NODE_TOOLS}/`)('playwright-core');
const WEB = new URL('../node_modules/mintreu-wasm/web/', import.meta.url);
const TYPES = { js: 'text/javascript', wasm: 'application/wasm', html: 'text/html' };
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];

function serve(request, response) {
  const name = request.url.slice(1) || 'index.html';
  response.setHeader('content-type', TYPES[name.split('.').pop()] ?? 'text/plain');
  const known = ['mintreu.js', 'mintreu_bg.wasm'].includes(name);
  response.end(known ? readFileSync(new URL(name, WEB)) : '<!doctype html><title>Test</title>');
}

async function judgeAll(cases) {
  const { default: init, verdict } = await import('/mintreu.js');
  await init();
  return cases.map(({ license, trust, now, version, released_at: releasedAt }) => {
    const { code, allowed } = verdict(license, trust, { now, version, releasedAt });
    return { verdict: code, allowed };
  });
}

test('a page judges as every language does', async () => {
  const server = createServer(serve);
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const cases = licenses();
    const found = await page.evaluate(judgeAll, cases);
    assert.ok(found.length >= 100);
    cases.forEach(({ name, expect: { verdict, allowed } }, index) => {
      assert.deepEqual(found[index], { verdict, allowed }, name);
    });
  } finally {
    await browser.close();
    server.close();
  }
});
