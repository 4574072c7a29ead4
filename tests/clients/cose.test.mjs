// @auth0/cose reads our licenses and refuses what was changed. It cannot sign with external data,
// so licenses made elsewhere come from the Python libraries beside this file.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const load = createRequire(`${process.env.NODE_TOOLS}/`);
const { Sign1 } = load('@auth0/cose');
const { AlgorithmNames } = load(join(dirname(load.resolve('@auth0/cose')), 'headers.js'));
const AAD = Buffer.from('mintreu/license/1');
// RFC 9864's number for the signature that the package knows by its older, looser number.
AlgorithmNames.set(-19, 'EdDSA');

const mintreu = (...given) =>
  JSON.parse(execFileSync(process.env.MINTREU_BIN, ['--json', ...given], { encoding: 'utf8' }));

function issue() {
  const key = join(mkdtempSync(join(tmpdir(), 'mintreu-cose-')), 'root.key');
  const { public_key: text } = mintreu('keys', 'new', '--out', key);
  const { license } = mintreu('license', 'issue', '--key', key, '--product', 'acme.editor');
  const x = Buffer.from(text.slice(5), 'base64url').subarray(0, 32).toString('base64url');
  const root = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return { root, document: Buffer.from(license.slice(4), 'base64url') };
}

test('it verifies ours', async () => {
  const { root, document } = issue();
  await Sign1.decode(document).verify(root, { externalAAD: AAD });
});

test('it refuses another kind, another key and a changed byte', async () => {
  const { root, document } = issue();
  const lease = Buffer.from('mintreu/lease/1');
  await assert.rejects(Sign1.decode(document).verify(root, { externalAAD: lease }));
  await assert.rejects(Sign1.decode(document).verify(issue().root, { externalAAD: AAD }));
  const changed = Buffer.from(document);
  changed[changed.length - 1] ^= 1;
  await assert.rejects(Sign1.decode(changed).verify(root, { externalAAD: AAD }));
});
