'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

test('CommonJS and ES modules give the same functions', async () => {
  const required = require('mintreu');
  const imported = await import('mintreu');
  for (const name of Object.keys(required)) assert.equal(imported[name], required[name], name);
  assert.equal(imported.default, required);
});
