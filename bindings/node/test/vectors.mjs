// Every vector that every language runs, for any package with the engine's JavaScript surface.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

const FOLDER = process.env.MINTREU_VECTORS;
const read = (name) => JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8'));
export const licenses = () => read('licenses.json').cases;

export function runVectors(mintreu) {
  const judged = (verdict) => ({ verdict: verdict.code, allowed: verdict.allowed });
  const runs = {
    license({ license, trust, now, version, released_at: releasedAt, expect }) {
      const found = judged(mintreu.verdict(license, trust, { now, version, releasedAt }));
      if (!expect.license) return found;
      const { id, product, edition, entitlements, quotas } = mintreu.verify(license, trust, { now });
      const bounds = ({ limit, window }) => ({ limit, window });
      const bounded = Object.entries(quotas).map(([name, quota]) => [name, bounds(quota)]);
      found.license = { id, product, edition, entitlements, quotas: Object.fromEntries(bounded) };
      return found;
    },
    activation({ license, trust, now, device, activation, lease, key_sets: keySets, revocations }) {
      const given = Object.entries({ device, activation, lease, keySets, revocations });
      const held = Object.fromEntries(given.filter(([, value]) => value != null));
      return judged(mintreu.verdict(license, trust, { now, ...held }));
    },
    redeem_code: ({ code }) => orCode(() => ({ canonical: mintreu.redeemCode(code) })),
    trust: ({ trust }) => orCode(() => ({ product: mintreu.trustProduct(trust) })),
    price({ charges, credits = [], now = 0, ...terms }) {
      const held = credits.map(({ expires_at: expiresAt, created_at: createdAt, ...credit }) =>
        ({ ...credit, ...(expiresAt != null && { expiresAt }), ...(createdAt != null && { createdAt }) }));
      const { commitment, share } = terms;
      const given = Object.entries({ commitment, share }).filter(([, value]) => value != null);
      const options = { credits: held, at: now, ...Object.fromEntries(given) };
      return orCode(() => told(mintreu.bill(charges, options)));
    },
  };
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  const cases = names.map(read).flatMap(({ file, cases }) => cases.map((one) => [file, one]));
  assert.ok(cases.length >= 200, `only ${cases.length} vectors`);
  for (const [file, one] of cases) {
    test(`${file}: ${one.name}`, () => assert.deepEqual(runs[file](one), one.expect));
  }
}

function told({ lines, cost, total, burns }) {
  assert.equal(lines.reduce((sum, { amount }) => sum + amount.minor, 0n), total.minor);
  return {
    lines: lines.map(({ charge, kind, text }) => ({ charge, kind, text })),
    cost: cost.text,
    total: total.text,
    burns: burns.map(({ credit, units, amount }) => `${credit}: ${units ?? amount.text}`),
  };
}

function orCode(ok) {
  try { return { ok: ok() }; } catch (error) { return { error: error.code }; }
}
