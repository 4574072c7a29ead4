// The Standard Webhooks library for Node, unmodified, verifies what our server delivers.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

const load = createRequire(`${process.env.NODE_TOOLS}/`);
const { Webhook, WebhookVerificationError } = load('standardwebhooks');

let folder, server, receiver, url, cookie;
const waiting = [];
const received = [];

// The next delivery, as it arrived.
const next = () => new Promise((resolve) => {
  if (received.length > 0) resolve(received.shift());
  else waiting.push(resolve);
});

const post = async (path, body = {}) => {
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(cookie && { cookie }) },
    body: JSON.stringify(body),
  });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer;
};

before(async () => {
  receiver = createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      response.writeHead(204).end();
      const one = { headers: request.headers, body: Buffer.concat(parts).toString('utf8') };
      const resolve = waiting.shift();
      if (resolve) resolve(one);
      else received.push(one);
    });
  });
  await new Promise((listening) => { receiver.listen(0, '127.0.0.1', listening); });
  folder = mkdtempSync(join(tmpdir(), 'mintreu-webhooks-'));
  const listen = ['--folder', join(folder, 'shop'), '--listen', '127.0.0.1:0'];
  server = spawn(process.env.MINTREU_BIN, ['--json', 'demo', ...listen], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: server.stdout })) {
    url = JSON.parse(line).url.replace(/\/$/, '');
    break;
  }
  const person = { email: 'wim@hooks.example', name: 'Wim', password: 'quiet herons at dusk' };
  await post('/v1/accounts', person);
  const signed = await post('/v1/sessions', person);
  cookie = signed.headers.getSetCookie().map((line) => line.split(';')[0]).join('; ');
  await post('/v1/me/developer');
});

after(async () => {
  receiver.close();
  await new Promise((ended) => {
    server.once('exit', ended);
    server.kill('SIGTERM');
  });
  rmSync(folder, { recursive: true, force: true });
});

test('a delivery verifies, and a tampered one is refused', async () => {
  const { port } = receiver.address();
  const made = await (await post('/v1/webhook-endpoints', { url: `http://127.0.0.1:${port}/` })).json();
  const path = `/v1/webhook-endpoints/${made.webhook_endpoint_id}`;
  await post(`${path}/test`);
  const one = await next();
  const webhook = new Webhook(made.secret);
  const event = webhook.verify(one.body, one.headers);
  assert.equal(event.type, 'webhook.test');
  assert.equal(event.data.webhook_endpoint_id, made.webhook_endpoint_id);
  const tampered = one.body.replace('webhook.test', 'webhook.tost');
  assert.throws(() => webhook.verify(tampered, one.headers), WebhookVerificationError);
  const renamed = { ...one.headers, 'webhook-id': 'evt_other' };
  assert.throws(() => webhook.verify(one.body, renamed), WebhookVerificationError);

  // After a rotation, who holds either secret verifies; who holds another doesn't.
  const rotated = await (await post(`${path}/rotate`)).json();
  await post(`${path}/test`);
  const two = await next();
  assert.equal(two.headers['webhook-signature'].split(' ').length, 2);
  for (const secret of [made.secret, rotated.secret]) {
    assert.equal(new Webhook(secret).verify(two.body, two.headers).type, 'webhook.test');
  }
  const strange = new Webhook(`whsec_${Buffer.alloc(32, 7).toString('base64')}`);
  assert.throws(() => strange.verify(two.body, two.headers), WebhookVerificationError);
  assert.throws(() => new Webhook(rotated.secret).verify(one.body, one.headers), WebhookVerificationError);
});
