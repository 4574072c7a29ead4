// The examples of the README run as they are written.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as mintreu from 'mintreu-wasm';
import { forever } from './tamper.mjs';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('every example runs', async () => {
  const examples = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code);
  assert.ok(examples.length > 0);
  const imported = /^import (?:init, )?\{ (.*) \} from 'mintreu-wasm';$/gm;
  const code = examples.join('\n').replace(imported, 'const { $1 } = mintreu;');
  const AsyncFunction = (async () => {}).constructor;
  const run = new AsyncFunction('mintreu', 'TRUST', 'pasted', 'init', 'console', code);
  await run(mintreu, forever.trust, forever.license, async () => {}, { log() {} });
});
