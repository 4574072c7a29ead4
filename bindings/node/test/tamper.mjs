// No changed byte of a license is ever believed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { licenses } from './vectors.mjs';

export const forever = licenses().find(({ name }) => name === 'without end, in the far future');

export function runTampering(mintreu) {
  const document = Buffer.from(forever.license.slice(4), 'base64url');
  const verifies = (bytes) => {
    try { mintreu.verify(`MT1-${bytes.toString('base64url')}`, forever.trust); } catch { return false; }
    return true;
  };
  test('the unchanged license verifies', () => assert.ok(verifies(document)));
  test('every flipped bit is refused', () => {
    for (let bit = 0; bit < document.length * 8; bit += 1) {
      const changed = Buffer.from(document);
      changed[bit >> 3] ^= 1 << (bit & 7);
      assert.ok(!verifies(changed), `bit ${bit}`);
    }
  });
  test('every cut is refused', () => {
    for (let length = 0; length < document.length; length += 1) {
      assert.ok(!verifies(document.subarray(0, length)), `cut to ${length}`);
    }
  });
  test('errors carry the code', () => {
    const refused = { code: 'malformed' };
    assert.throws(() => mintreu.verify('MT1-nonsense', forever.trust), refused);
  });
}
