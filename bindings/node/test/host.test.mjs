// Fingerprints and device keys from Node.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Engine, fingerprint, hostFingerprint } from 'mintreu';
import { forever } from './tamper.mjs';

const PRODUCT = 'acme.editor';
const folder = () => mkdtempSync(join(tmpdir(), 'mintreu-node-host-'));

test('a given component is hashed and counted', () => {
  const known = fingerprint(PRODUCT, { pod: 'renderer-0', empty: '' });
  assert.deepEqual([known.size, known.kind, known.platform], [1, null, null]);
  const many = Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`part-${n}`, 'value']));
  assert.throws(() => fingerprint(PRODUCT, many), { code: 'malformed' });
});

test('the host says what it is', () => {
  const bare = hostFingerprint(PRODUCT);
  assert.ok(['physical', 'virtual', 'container', 'ci'].includes(bare.kind));
  const known = hostFingerprint(PRODUCT, { pod: 'renderer-0' });
  assert.deepEqual(known.components, [...bare.components, 'pod']);
  assert.equal(known.size, bare.size + 1);
});

test('the environment tells a job of CI', () => {
  const program = `import { hostFingerprint } from 'mintreu';
    const { kind, platform, size } = hostFingerprint('acme.editor');
    console.log(kind, platform, size);`;
  const env = { ...process.env, GITLAB_CI: 'true' };
  delete env.GITHUB_ACTIONS;
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const args = ['--input-type=module', '-e', program];
  const said = execFileSync(process.execPath, args, { env, cwd, encoding: 'utf8' });
  assert.equal(said.trim(), 'ci gitlab-ci 0');
});

test('a request carries the fingerprint', () => {
  const request = (known) => {
    const engine = Engine.open(folder(), { trust: forever.trust, fingerprint: known });
    engine.install('ACMHG-G20XB-B91JV-M18AA');
    return engine.activationRequest();
  };
  const withOne = request(fingerprint(PRODUCT, { pod: 'renderer-0' }));
  assert.ok(withOne.length > request(undefined).length);
});

test('a folder copied to another host is a new device', () => {
  const [first, second] = [folder(), folder()];
  const program = `import { Engine } from 'mintreu';
    const engine = Engine.open(process.argv[1], { trust: process.argv[2], hostId: process.argv[3] });
    console.log(engine.device, engine.deviceKeyProtection, engine.recovered.join());`;
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  // Each in a process of its own: a folder is given back when its process ends.
  const opened = (path, hostId) =>
    execFileSync(
      process.execPath,
      ['--input-type=module', '-e', program, path, forever.trust, hostId],
      { cwd, encoding: 'utf8' },
    )
      .trim()
      .split(' ');
  const [device, protection] = opened(first, 'instance-1');
  assert.equal(protection, 'file');
  rmSync(second, { recursive: true });
  cpSync(first, second, { recursive: true });
  assert.deepEqual(opened(first, 'instance-1'), [device, 'file']);
  const [copied, , recovered] = opened(second, 'instance-2');
  assert.notEqual(copied, device);
  assert.equal(recovered, 'host_changed');
});
