// Reports units of usage with one client, the way its README says: report.py for Node.
//
//     node report.cjs CLIENT URL FOLDER UNITS (end|exit|paced)
const { randomUUID } = require('node:crypto');
const { readSync, writeSync } = require('node:fs');
const { createRequire } = require('node:module');
const { basename } = require('node:path');

const load = createRequire(`${process.env.NODE_TOOLS}/`);
const [name, url, folder, units, ending] = process.argv.slice(2);

const clients = {
  openmeter() {
    const { OpenMeter } = load('@openmeter/sdk');
    const client = new OpenMeter({ baseUrl: url, apiKey: 'key' });
    return {
      report: (unit) => client.events.ingest({
        id: randomUUID(), source: 'my-app', type: 'call', subject: 'customer-1', data: { unit },
      }),
    };
  },

  lago() {
    const { Client } = load('lago-javascript-client');
    const client = Client('key', { baseUrl: `${url}/api/v1` });
    return {
      report: (unit) => client.events.createEvent({
        event: {
          transaction_id: randomUUID(), external_subscription_id: 'subscription-1',
          code: 'calls', timestamp: Math.floor(Date.now() / 1000), properties: { unit },
        },
      }),
    };
  },

  stripe() {
    const Stripe = load('stripe');
    const { hostname, port } = new URL(url);
    const client = new Stripe('sk_test_1', { host: hostname, port, protocol: 'http' });
    return {
      report: (unit) => client.billing.meterEvents.create({
        event_name: 'calls', identifier: randomUUID(),
        payload: { stripe_customer_id: 'cus_1', value: '1', unit: String(unit) },
      }),
    };
  },

  unkey() {
    const { Unkey } = load('@unkey/api');
    const client = new Unkey({ rootKey: 'root', serverURL: url });
    return {
      report: (unit) => client.keys.verifyKey({ key: 'key_1', tags: [`unit=${unit}`] }),
    };
  },

  mintreu() {
    const { Engine, sync } = require('mintreu');
    const engine = Engine.open(folder, { trust: process.env.FAULTS_TRUST });
    if (process.env.FAULTS_CODE) engine.install(process.env.FAULTS_CODE);
    const calls = engine.meter('characters', { subject: basename(folder) });
    // "Try later, nothing is lost": later is the next round, or the next start.
    const send = () => sync(engine, url, { patienceMs: 0 }).catch((error) => console.error(error.code ?? error));
    return {
      report: (unit) => {
        calls.record();
        return unit % 3 === 2 && ending !== 'exit' ? send() : undefined;
      },
      end: send,
    };
  },
};

async function main() {
  const { report, end } = clients[name]();
  for (let unit = 0; unit < Number(units); unit += 1) {
    if (ending === 'paced') readSync(0, Buffer.alloc(1));
    writeSync(1, 's');
    try {
      await report(unit);
      writeSync(1, 'a');
    } catch (error) {
      console.error(error);
      writeSync(1, 'e');
    }
  }
  if (ending !== 'exit') await end?.();
}

main();
