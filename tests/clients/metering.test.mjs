// OpenMeter's and Lago's own clients for Node, unmodified, against our server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

const load = createRequire(`${process.env.NODE_TOOLS}/`);
const { OpenMeter } = load('@openmeter/sdk');
const { Client: Lago } = load('lago-javascript-client');

let folder, server, url, token;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mintreu-metering-'));
  const listen = ['--folder', join(folder, 'shop'), '--listen', '127.0.0.1:0'];
  server = spawn(process.env.MINTREU_BIN, ['--json', 'demo', ...listen], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: server.stdout })) {
    url = JSON.parse(line).url.replace(/\/$/, '');
    break;
  }
  const post = (path, body, cookie) => fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(cookie && { cookie }) },
    body: JSON.stringify(body),
  });
  const person = { email: 'ida@meters.example', name: 'Ida', password: 'quiet herons at dusk' };
  await post('/v1/accounts', person);
  const signed = await post('/v1/sessions', person);
  const cookie = signed.headers.getSetCookie().map((line) => line.split(';')[0]).join('; ');
  await post('/v1/me/developer', {}, cookie);
  ({ token } = await (await post('/v1/tokens', { name: 'clients' }, cookie)).json());
});

after(async () => {
  await new Promise((ended) => {
    server.once('exit', ended);
    server.kill('SIGTERM');
  });
  rmSync(folder, { recursive: true, force: true });
});

test('OpenMeter: what is ingested is counted once and asked by day and model', async () => {
  const client = new OpenMeter({ baseUrl: url, apiKey: token });
  const meter = await client.meters.create({
    slug: 'js_tokens', aggregation: 'SUM', eventType: 'js', valueProperty: '$.n',
    groupBy: { model: '$.model' },
  });
  assert.equal(meter.slug, 'js_tokens');
  const time = new Date('2025-01-10T12:00:30Z');
  const event = { id: 'js 1', type: 'js', subject: 'customer-1', time, data: { n: 5, model: 'a' } };
  await client.events.ingest(event);
  await client.events.ingest([event, { ...event, id: 'js 2', data: { n: '2.5', model: 'b' } }]);
  const { data } = await client.meters.query('js_tokens', {
    subject: ['customer-1'], windowSize: 'DAY', groupBy: ['model'],
    from: new Date('2025-01-01T00:00:00Z'), filterGroupBy: { model: 'a' },
  });
  assert.deepEqual(data.map((row) => [row.value, row.subject, row.groupBy.model]), [[5, 'customer-1', 'a']]);
  const whole = await client.meters.query('js_tokens');
  assert.equal(whole.data[0].value, 7.5);
  assert.ok((await client.meters.list()).some(({ slug }) => slug === 'js_tokens'));
  await assert.rejects(() => client.meters.query('nothing_there'));
});

test('Lago: events are counted once and read back', async () => {
  const client = Lago(token, { baseUrl: `${url}/lago/api/v1` });
  const metric = await client.billableMetrics.createBillableMetric({
    billable_metric: { name: 'Calls', code: 'js_calls', aggregation_type: 'count_agg' },
  });
  const charges = [{ billable_metric_id: metric.data.billable_metric.lago_id, charge_model: 'standard', properties: { amount: '0.02' } }];
  await client.customers.createCustomer({ customer: { external_id: 'js_cus' } });
  await client.plans.createPlan({ plan: { name: 'P', code: 'js_plan', interval: 'monthly', amount_cents: 0, amount_currency: 'EUR', pay_in_advance: false, charges } });
  await client.subscriptions.createSubscription({ subscription: { external_customer_id: 'js_cus', plan_code: 'js_plan', external_id: 'js_sub' } });
  const event = { transaction_id: 'js tx', external_subscription_id: 'js_sub', code: 'js_calls' };
  for (let sent = 0; sent < 3; sent += 1) await client.events.createEvent({ event });
  await client.events.createBatchEvents({ events: [event, { ...event, transaction_id: 'js ty' }] });
  const usage = await client.customers.findCustomerCurrentUsage('js_cus', { external_subscription_id: 'js_sub' });
  const [line] = usage.data.customer_usage.charges_usage;
  assert.deepEqual([line.units, line.amount_cents], ['2', 4]);
  await assert.rejects(() => client.events.findEvent('nothing'));
});
