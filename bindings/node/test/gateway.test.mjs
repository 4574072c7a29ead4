// API keys in a backend: in this process, by a server, and through the middleware.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Engine, Gateway, RemoteGateway, express } from 'mintreu';
import { forever } from './tamper.mjs';

const secret = new Uint8Array(32).fill(7);
const plans = { free: { limit: 3, window: 'day' }, fast: { rate: '2/minute' } };

function opened() {
  const folder = mkdtempSync(join(tmpdir(), 'mintreu-gateway-'));
  const engine = Engine.open(folder, { trust: forever.trust });
  return { engine, gateway: new Gateway(engine, 'api.calls', secret, plans) };
}

async function serving(handler, work) {
  const server = createServer(handler);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await work(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('each customer has limits of their own', () => {
  const { engine, gateway } = opened();
  assert.equal(gateway.allow('ada', 'free', 2).remaining, 1);
  assert.equal(gateway.allow('ada', 'free', 2).code, 'quota_spent');
  assert.equal(gateway.allow('bob', 'free').remaining, 2);
  gateway.allow('cleo', 'fast');
  gateway.allow('cleo', 'fast');
  const refused = gateway.allow('cleo', 'fast');
  assert.equal(refused.code, 'rate_limited');
  assert.equal(refused.headers['Retry-After'], '30');
  assert.throws(() => gateway.allow('ada', 'gold'), { code: 'plan_unknown' });
  assert.throws(() => new Gateway(engine, 'x', new Uint8Array(31), {}), { code: 'secret_invalid' });
  assert.throws(() => new Gateway(engine, 'x', secret, { a: { rate: 'often' } }), { code: 'rate_invalid' });
  const counted = engine.usage().find((cell) => cell.subject === gateway.subject('ada'));
  assert.equal(counted.counted, 2n);
});

test('the middleware lets on, counts once, and refuses with the right fields', async () => {
  const { engine, gateway } = opened();
  const known = new Map([['ada', 'free']]);
  const guard = express({ gateway, plan: (key) => known.get(key) ?? null });
  const handler = (req, res) => guard(req, res, () => res.end(req.mintreu.subject));
  await serving(handler, async (url) => {
    const get = (headers) => fetch(url, { headers });
    for (const left of [2, 1, 0]) {
      const response = await get({ 'x-api-key': 'ada' });
      assert.equal(response.status, 200);
      assert.equal(await response.text(), gateway.subject('ada'));
      assert.match(response.headers.get('ratelimit'), new RegExp(`^"api.calls";r=${left};t=\\d+$`));
    }
    const spent = await get({ authorization: 'Bearer ada' });
    assert.equal(spent.status, 429);
    assert.equal(spent.headers.get('content-type'), 'application/problem+json');
    assert.ok(Number(spent.headers.get('retry-after')) > 0);
    assert.equal((await spent.json()).code, 'quota_spent');
    assert.equal((await get({})).status, 401);
    assert.equal((await get({ 'x-api-key': 'nobody' })).status, 401);
  });
  assert.deepEqual(engine.usage().map((cell) => cell.counted), [3n]);
});

test('the server is asked again with the same request id, and its fields are passed on', async () => {
  const seen = [];
  const server = async (req, res) => {
    let body = '';
    for await (const part of req) body += part;
    seen.push({ ...JSON.parse(body), token: req.headers.authorization });
    if (seen.length === 1) return req.socket.destroy();
    const { key } = seen.at(-1);
    res.setHeader('RateLimit', '"calls";r=0;t=9');
    if (key === 'spent') {
      res.writeHead(429, { 'Retry-After': '9', 'Content-Type': 'application/problem+json' });
      return res.end(JSON.stringify({ code: 'quota_spent', remaining: 0 }));
    }
    return res.end(JSON.stringify({ code: 'allowed', api_key_id: 'apk_1', remaining: 5, entitlements: { pro: true } }));
  };
  await serving(server, async (url) => {
    const gateway = new RemoteGateway({ server: url, token: 'mtsk_x', meter: 'calls', entitlements: ['pro'] });
    const answer = await gateway.allow('mtk_1', null, 2);
    assert.deepEqual([answer.allowed, answer.remaining, answer.subject], [true, 5, 'apk_1']);
    assert.deepEqual(answer.entitlements, { pro: true });
    assert.equal(seen.length, 2);
    assert.equal(seen[0].request_id, seen[1].request_id);
    assert.deepEqual([seen[1].units, seen[1].token], [2, 'Bearer mtsk_x']);
    await gateway.allow('mtk_1');
    assert.notEqual(seen[1].request_id, seen[2].request_id);
    const refused = await gateway.allow('spent');
    assert.deepEqual([refused.allowed, refused.code, refused.headers['Retry-After']], [false, 'quota_spent', '9']);
  });
});

test('while the server is away requests wait, or go on if that was chosen', async () => {
  const away = { server: 'http://127.0.0.1:1', token: 'mtsk_x', meter: 'calls' };
  await assert.rejects(new RemoteGateway(away).allow('k'), { code: 'gateway_unavailable' });
  for (const [onUnavailable, status] of [['refuse', 503], ['allow', 200]]) {
    const guard = express({ ...away, onUnavailable });
    await serving((req, res) => guard(req, res, () => res.end('on')), async (url) => {
      const response = await fetch(url, { headers: { 'x-api-key': 'k' } });
      assert.equal(response.status, status);
    });
  }
});
