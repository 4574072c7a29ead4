// Type-checked strictly, never run: what a caller's editor sees.
import { bill, Engine, hostFingerprint, price, retryAfter, sync, verify } from 'mintreu';
import type { Alert, Bill, Decision, Installed, License, QuotaStatus, Usage } from 'mintreu';

export async function use(trust: string, text: string): Promise<number> {
  const license: License = verify(text, trust, { now: 0 });
  const engine: Engine = Engine.open('folder', { trust });
  const bound = Engine.open('other', {
    trust, fingerprint: hostFingerprint('acme.editor', { pod: 'editor-0' }), hostId: 'editor-0',
  });
  const word: Installed = bound.install(text);
  const until: number | null = bound.seatEndsAt(license.id);
  console.log(word, until, bound.deactivate(), bound.timeRequest());
  const asked: Bill = bill([{ name: 'calls', tariff: 'USD per_unit 0.10', quantity: 5n }], { commitment: '1.00' });
  const minor: bigint = price('USD per_unit 0.10', '2.5').total.minor + asked.total.minor;
  // @ts-expect-error a commitment is a text, so that it is exact
  bill([], { commitment: 1.5 });
  console.log(minor, asked.lines[0]?.unit ?? asked.burns.length);
  const kept: string = bound.deviceKeyProtection;
  const granted: true | number | string = engine.check('export-4k');
  const decision: Decision = engine.meter('api.calls', { dimensions: { region: 'eu' } }).consume(2);
  const usage: Usage[] = engine.usage();
  const status: QuotaStatus | null = engine.quota('renders');
  const alerts: Alert[] = engine.alerts();
  const durable = engine.meter('tokens', { subject: 'customer-7', durability: 'power' });
  engine.recordBatch([[durable, 3]]);
  engine.recordEvents([{ id: 'job-1', meter: 'jobs', value: '0.5', at: Date.now() }]);
  // @ts-expect-error counts in memory alone are the browser's
  engine.meter('tokens', { durability: 'volatile' });
  const wait: number = retryAfter(null, 1) + durable.reserve(1, 60).expiresAt;
  console.log(status?.remaining, alerts.map(({ percent }) => percent), wait);
  const counted: bigint = usage.reduce((sum, { counted }) => sum + counted, 0n);
  const left: number | null = decision.remaining;
  // @ts-expect-error units are numbers
  engine.record('api.calls', '3');
  return kept.length + (await sync(engine, 'https://example.test')) + Number(counted) + (left ?? 0)
    + (granted === true ? 1 : 0) + (license.verdict.allowed ? 1 : 0);
}
