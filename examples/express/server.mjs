// An API of Express whose customers have keys, limits and a bill.
//
//   node server.mjs            decides in this process and counts into a folder
//   MINTREU_SERVER=https://…   asks the server about each key instead, with MINTREU_TOKEN
import expressApp from 'express';
import { Engine, Gateway, express, sync } from 'mintreu';

const METER = 'api.calls';
const { MINTREU_SERVER: server, MINTREU_TOKEN: token, MINTREU_FOLDER: folder, MINTREU_TRUST: trust } = process.env;

// Where a program of yours asks its database: whose key is this, and what did they buy?
const customers = new Map([
  ['key-of-ada', 'free'],
  ['key-of-bob', 'pro'],
]);
const plans = {
  free: { limit: 3, window: 'day', rate: '20/second' },
  pro: { limit: 1_000_000, window: 'month' },
};

function inThisProcess() {
  const engine = Engine.open(folder, { trust });
  const gateway = new Gateway(engine, METER, Buffer.from(process.env.MINTREU_SECRET, 'hex'), plans);
  return { engine, guard: express({ gateway, plan: (key) => customers.get(key) ?? null }) };
}

const { engine, guard } = token ? { guard: express({ server, token, meter: METER }) } : inThisProcess();

const app = expressApp();
app.use(guard);
app.get('/hello', (req, res) => {
  res.json({ hello: req.mintreu.subject, left: req.mintreu.remaining });
});
const listening = app.listen(0, '127.0.0.1', () => console.log(`listening on ${listening.address().port}`));

// What was counted goes to the server now and then, and at the end; a lost answer counts nothing twice.
async function end() {
  if (engine && server) await sync(engine, server).catch((error) => console.error(error.code));
  if (engine) for (const cell of engine.usage()) console.log(`counted ${cell.subject} ${cell.counted}`);
  listening.close(() => process.exit(0));
  listening.closeAllConnections();
}
process.on('SIGTERM', end);
