// Slices of quotas, spent by several gateways against one server that lends them.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { RemoteGateway } from 'mintreu';

/** The server's rule, `mintreu::gateway::lend_slice`: one window, one key. */
class Lender {
  nodes = new Map();
  exact = 0;
  counted = 0;
  asked = [];
  away = false;
  loseNext = false;
  code = null;
  rate = null;

  constructor(limit) {
    this.limit = limit;
  }

  free() {
    return [...this.nodes.values()].reduce((left, node) => left - node.units, this.limit - this.exact);
  }

  check({ units }) {
    const granted = units <= this.free();
    if (granted) {
      this.exact += units;
      this.counted += units;
    }
    const code = granted ? 'allowed' : 'quota_spent';
    return [granted ? 200 : 429, { code, api_key_id: 'apk_1', remaining: this.free() }];
  }

  lend(asked) {
    const node = this.nodes.get(asked.node) ?? { number: 0, units: 0, used: 0 };
    assert.match(asked.node, /^[0-9a-z-]{16,64}$/);
    assert.ok(asked.last <= node.number);
    if (asked.last === node.number) {
      assert.ok(asked.used >= node.used && asked.used <= node.units);
      this.counted += asked.used - node.used;
      node.used = asked.used;
      if (asked.closed) node.units = node.used;
      this.nodes.set(asked.node, node);
      node.units += Math.min(asked.wanted, Math.floor(this.free() / (2 * this.nodes.size)));
      node.number += 1;
    }
    return [200, {
      ...node,
      code: 'leased',
      window: 7,
      meter: 'calls',
      api_key_id: 'apk_1',
      license_id: 'lic_1',
      limit: this.limit,
      remaining: this.free(),
      ends_in_ms: asked.lease_secs * 1000,
      resets_at: 4_000_000_000_000,
      rate: this.rate,
      entitlements: { pro: true },
    }];
  }

  answer(path, asked) {
    this.asked.push([path, asked]);
    if (this.code) return [403, { code: this.code }];
    return path.endsWith('/slices') ? this.lend(asked) : this.check(asked);
  }
}

async function lending(work) {
  const lender = new Lender(1000);
  const server = createServer(async (req, res) => {
    let body = '';
    for await (const part of req) body += part;
    if (lender.away) return req.socket.destroy();
    const [status, told] = lender.answer(req.url, JSON.parse(body));
    if (lender.loseNext) {
      lender.loseNext = false;
      return req.socket.destroy();
    }
    res.writeHead(status);
    return res.end(JSON.stringify(told));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  const node = (more) => new RemoteGateway({ server: url, token: 'mtsk_x', meter: 'calls', slices: true, ...more });
  try {
    await work(lender, node);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('units are spent without asking and said at the end', async () => {
  await lending(async (lender, node) => {
    const gateway = node({ sliceSize: 50 });
    const first = await gateway.allow('mtk_1');
    assert.deepEqual([first.allowed, first.remaining, first.resetsAt], [true, 999, 4_000_000_000_000]);
    assert.equal(first.headers['RateLimit-Policy'], '"calls";q=1000');
    assert.equal(first.headers['X-RateLimit-Remaining'], '999');
    for (let n = 0; n < 30; n += 1) assert.ok((await gateway.allow('mtk_1')).allowed);
    assert.equal(lender.asked.length, 1);
    await gateway.close();
    assert.deepEqual([lender.counted, lender.free()], [31, 969]);
    assert.ok((await gateway.allow('mtk_1')).allowed, 'asked singly after its end');
    assert.equal(lender.counted, 32);
  });
});

test('an answer that was lost is lent and counted once', async () => {
  await lending(async (lender, node) => {
    const gateway = node({ sliceSize: 10 });
    lender.loseNext = true;
    assert.ok((await gateway.allow('mtk_1')).allowed);
    assert.deepEqual(lender.asked[0], lender.asked[1]);
    assert.equal(lender.free(), 990);
    await gateway.close();
    assert.equal(lender.counted, 1);
  });
});

test('several nodes, one of them killed, never use one more', async () => {
  await lending(async (lender, node) => {
    let used = 0;
    const customer = async (gateway, most = Infinity) => {
      for (let n = 0; n < most && (await gateway.allow('mtk_1')).allowed; n += 1) used += 1;
    };
    const nodes = [1, 2, 3].map(() => node({ sliceSize: 8 }));
    const killed = node({ sliceSize: 8 });
    const after = 5 + Math.floor(Math.random() * 50);
    const customers = nodes.flatMap((gateway) => [customer(gateway), customer(gateway), customer(gateway)]);
    await Promise.all([...customers, customer(killed, after)]);
    await Promise.all(nodes.map((gateway) => gateway.close()));
    assert.ok(used > 500 && used <= 1000, `${used} used`);
    assert.ok(lender.counted <= used && used <= lender.counted + after, `${lender.counted} counted of ${used}`);
    const leases = lender.asked.filter(([path]) => path.endsWith('/slices'));
    assert.ok(leases.length < 200, `${leases.length} requests`);
  });
});

test('while the server is away what is held is spent', async () => {
  await lending(async (lender, node) => {
    const gateway = node({ sliceSize: 20 });
    assert.ok((await gateway.allow('mtk_1')).allowed);
    lender.away = true;
    for (let n = 0; n < 19; n += 1) assert.ok((await gateway.allow('mtk_1')).allowed);
    await assert.rejects(async () => {
      for (let n = 0; n < 2; n += 1) await gateway.allow('mtk_1');
    }, { code: 'gateway_unavailable' });
    lender.away = false;
    await gateway.close();
    assert.equal(lender.counted, 20);
  });
});

test("a refused key is refused, and a key's own rate is kept", async () => {
  await lending(async (lender, node) => {
    const gateway = node({});
    lender.code = 'api_key_disabled';
    assert.equal((await gateway.allow('mtk_1')).code, 'api_key_disabled');
    lender.code = null;
    lender.rate = '2/minute';
    assert.ok((await gateway.allow('mtk_1')).allowed);
    assert.ok((await gateway.allow('mtk_1')).allowed);
    const refused = await gateway.allow('mtk_1');
    assert.equal(refused.code, 'rate_limited');
    assert.ok(Number(refused.headers['Retry-After']) <= 60);
    await gateway.close();
    assert.equal(lender.counted, 2);
  });
});
