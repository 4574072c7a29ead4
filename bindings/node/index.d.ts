/**
 * Offline licenses and metering, embedded in your product.
 *
 * Errors are `Error`s with a stable `code`. Instants are milliseconds since 1970, as `Date.now()`
 * gives. Units go in as whole numbers up to `Number.MAX_SAFE_INTEGER`; sums come out as `bigint`.
 */

/** What a license is judged against; instants are milliseconds since 1970. */
export interface Circumstances {
  /** The host's clock when absent. */
  now?: number;
  /** The product's version, such as `2.4.1`. */
  version?: string;
  /** When that version was released. */
  releasedAt?: number;
  /** The device's public key, as text; only a verdict looks at it. */
  device?: string;
  /** The device's activation in any text form; only a verdict looks at it. */
  activation?: string;
  /** The newest lease of the activation's seat; only a verdict looks at it. */
  lease?: string;
  /** The host as it is now, where the license asks for it; only a verdict looks at it. */
  fingerprint?: Fingerprint;
  /** Key sets, older ones first; only a verdict looks at them. */
  keySets?: string[];
  /** Revocation lists; only a verdict looks at them. */
  revocations?: string[];
}

/** What `install` installed. */
export type Installed =
  'license' | 'activation' | 'code' | 'lease' | 'units' | 'key_set' | 'revocations' | 'time';

/** What a license comes to here and now. */
export interface Verdict {
  /** Stable, the same in every language: `valid`, `expired`, `bad_signature`, … */
  code: string;
  /** Whether the product may run. */
  allowed: boolean;
  /** One sentence to show. */
  sentence: string;
  /** The first instant at which the verdict may change. */
  changesAt: number | null;
}

/** How much of a meter a license allows; no limit is `null`. */
export interface Quota {
  limit: number | null;
  window: string;
  perDevice: boolean;
  overage: boolean;
}

/** A license whose signatures hold up to the pinned root. */
export interface License {
  id: string;
  product: string;
  edition: string | null;
  customer: string | null;
  issuedAt: number;
  notBefore: number | null;
  expiresAt: number | null;
  updatesUntil: number | null;
  trial: boolean;
  seats: number | null;
  entitlements: Record<string, true | number | string>;
  quotas: Record<string, Quota>;
  verdict: Verdict;
}

/**
 * Verifies a license in any of its text forms; its `verdict` says whether it holds now.
 *
 * Throws with the verdict's code where the signatures don't hold up to the pinned root. `trust` is
 * a constant of your program, never read from a file that a user can write.
 */
export function verify(license: string, trust: string, circumstances?: Circumstances): License;

/** The verdict on a license and a device's activation; never throws for what doesn't verify. */
export function verdict(license: string, trust: string, circumstances?: Circumstances): Verdict;

/** The product a trust is for: a check of the constant in a program's own tests. */
export function trustProduct(trust: string): string | null;

/** A redeem code as it is stored: capitals, no dashes; throws `code_mistyped` for a typo. */
export function redeemCode(typed: string): string;

/** Whose use is counted (an opaque id) and how it is split. */
export interface Cell {
  subject?: string;
  dimensions?: Record<string, string>;
}

/** A meter's handle: whose use is counted, how it is split, and what it survives. */
export interface MeterOptions extends Cell {
  /**
   * `process`, where nothing is said: counts survive a killed process, and a power cut but for the
   * last second. `power`: each call waits for the disk, a millisecond or so, and they survive both.
   */
  durability?: 'process' | 'power';
}

/** How a meter's quota stands. */
export interface QuotaStatus {
  meter: string;
  /** The stretch of time the limit is for: `month`, `rolling`, `lifetime`, … */
  window: string;
  /** Units a window; `null` where use is only counted. */
  limit: number | null;
  /** Units used in this window beyond those that were carried over. */
  used: number;
  /** Units left, prepaid ones included; `null` without a limit. */
  remaining: number | null;
  /** Units used beyond the limit; they are charged. */
  overage: number;
  /** Prepaid units left. */
  credits: number;
  /** When units come back; `null` when time alone brings none. */
  resetsAt: number | null;
}

/** A quota's use has reached one of its alerts. */
export interface Alert {
  meter: string;
  /** The percentage of the limit that was reached. */
  percent: number;
  status: QuotaStatus;
}

/** One happening of a meter, for what no sum can tell. */
export interface Event extends Cell {
  /** Tells it from all others: 1 to 64 bytes. Take one that comes again when work is done again. */
  id: string;
  meter: string;
  /** Exact: a whole number, a `bigint` or a decimal text of at most 18 digits; one when absent. */
  value?: Quantity;
  /** When it happened; when it is recorded, where absent. */
  at?: number;
}

/** The answer to "may I use so many units?". */
export interface Decision {
  granted: boolean;
  /** A stable code when refused: `quota_spent` or the license's verdict. */
  reason: string | null;
  /** Units left in the window; `null` without a limit. */
  remaining: number | null;
  /** When units come back, in milliseconds since 1970; `null` when time alone brings none. */
  resetsAt: number | null;
  /** Units used beyond the limit in this window; they are charged. */
  overage: number;
  /** The quota's alert that this use was the first to reach, in percent of the limit. */
  crossed: number | null;
}

/** What one count came to on this device. */
export interface Usage {
  meter: string;
  subject: string;
  dimensions: Record<string, string>;
  /** Units counted on this device since it began. */
  counted: bigint;
  /** Of these, units in sealed segments. */
  sealed: bigint;
  /** Of these, units the server has acknowledged. */
  acknowledged: bigint;
}

/** What the host's own HTTP client is to send. */
export interface Request {
  method: string;
  path: string;
  contentType: string;
  body: Uint8Array;
}

/** One count of one meter; `engine.meter()` makes it. */
export class Meter {
  private constructor();
  /** Units this handle's cell has counted since the device's first day. */
  get counted(): bigint;
  /** What counts through this handle survive. */
  get durability(): 'process' | 'power';
  /**
   * Counts units (one when absent), whatever any quota says. With durability `power` it returns when
   * they are on the disk; if it throws then, they are counted, and only a power cut can lose them.
   */
  record(n?: number): void;
  /** Counts many at once, with one wait for the disk where the durability asks for it. */
  recordBatch(counts: number[]): void;
  /**
   * Keeps one event, once by its id: on the disk when this returns. It adds nothing to the count.
   * Throws `event_id_invalid`, `decimal_invalid` or `events_full`.
   */
  event(id: string, value?: Quantity): void;
  /** Takes units (one when absent) from the license's quota and counts them, or does neither. */
  consume(n?: number): Decision;
  /**
   * Takes units whose use is known only afterwards; throws with the reason where refused. They go
   * back after so many seconds (3600 when absent), also when this process was killed.
   */
  reserve(n: number, seconds?: number): Reservation;
}

/** Units taken from a quota and not yet counted. */
export class Reservation {
  private constructor();
  /** Units that are held. */
  get units(): number;
  /** Until when they are held: then they go back, whatever became of this process. */
  get expiresAt(): number;
  /** Counts the units that were used, all of them, and gives the rest back. */
  commit(used: number): void;
  /** Gives everything back; harmless when it was committed or released before. */
  release(): void;
}

/** Keyed hashes of what tells a host apart: the values never leave it. */
export class Fingerprint {
  private constructor();
  /** `physical`, `virtual`, `container` or `ci`; `null` where the caller gave all. */
  get kind(): string | null;
  /** By what a place that is no machine of its own was recognised: `docker`, `kvm`, … */
  get platform(): string | null;
  /** What the components are, without their values. */
  get components(): string[];
  /** How many components there are. */
  get size(): number;
}

/** The fingerprint of what you know alone. */
export function fingerprint(product: string, components: Record<string, string>): Fingerprint;

/**
 * What this host looks like to a product, with components that you know of it.
 *
 * In a container and in a CI job the host has none of its own: give an id, such as the name of a
 * StatefulSet's pod.
 */
export function hostFingerprint(product: string, components?: Record<string, string>): Fingerprint;

/** How an engine is opened. */
export interface OpenOptions {
  trust: string;
  /** The product's version, for licenses that are limited to some. */
  version?: string;
  /** When that version was released. */
  releasedAt?: number;
  /** From `hostFingerprint`, for licenses that are bound to a host. */
  fingerprint?: Fingerprint;
  /** Binds the device's key to an id of yours instead of the machine's; `''` to nothing. */
  hostId?: string;
  /** Adds the limits and quotas of several licenses up, where else the largest counts. */
  addUp?: boolean;
  /** How often counts reach the disk and are sealed. */
  pace?: Pace;
}

/** How often what happens by itself happens. */
export interface Pace {
  /**
   * Counts reach the disk this often: 1000. With 0 you call `flush` and `sealWhenDue` yourself.
   */
  flushMs?: number;
  /** What was counted is sealed at least this often, sent or not: an hour. */
  sealMs?: number;
  /** A sync says this often that there is nothing to say: a day. */
  heartbeatMs?: number;
}

/**
 * A product's licenses and meters on one device. Any number of processes may have one folder open;
 * one thread holds an engine.
 */
export class Engine {
  private constructor();
  /** Opens the engine in a folder of its own, which is made when there is none. */
  static open(path: string, options: OpenOptions): Engine;
  /** The device's public key, as text. */
  get device(): string;
  /** How the device's key is protected: `file`, unless a keystore holds it. */
  get deviceKeyProtection(): string;
  /** What was found wrong when the folder was opened, as stable codes. */
  get recovered(): string[];
  /** Installs whatever a seller gives a customer, in any text form, and says what it was. */
  install(text: string): Installed;
  /** Exchanges a key that the seller gave out before, elsewhere: the next request asks with it. */
  exchange(key: string): void;
  /** What the installed licenses come to now. */
  verdict(): Verdict;
  /** What the license says of a feature; throws with the reason where it may not be used. */
  check(feature: string): true | number | string;
  /** A handle for counting, to be kept. */
  meter(name: string, options?: MeterOptions): Meter;
  /** Counts units of a meter by its name. */
  record(name: string, n?: number): void;
  /** Takes units from a meter's quota by its name and counts them, or does neither. */
  consume(name: string, n?: number): Decision;
  /**
   * Takes units whose use is known only afterwards; throws with the reason where refused. They go
   * back after so many seconds (3600 when absent), also when this process was killed.
   */
  reserve(name: string, n: number, seconds?: number): Reservation;
  /** Counts in many meters at once, with one wait for the disk where a durability asks for it. */
  recordBatch(units: [meter: Meter, n: number][]): void;
  /**
   * Keeps events, each once by its id: on the disk when this returns, in one commit. Throws
   * `events_full` when too many wait to be acknowledged: sync first.
   */
  recordEvents(events: Event[]): void;
  /** How every quota of the licenses stands, in the order of the meters' names. */
  quotas(): QuotaStatus[];
  /** How one meter's quota stands; `null` when the licenses set none. */
  quota(meter: string): QuotaStatus | null;
  /**
   * The alerts that use has reached, each once in its window: here or in a decision's `crossed`,
   * whichever somebody sees first, in any process.
   */
  alerts(): Alert[];
  /** Writes every count to the disk: after this a power cut loses nothing counted so far. */
  flush(): void;
  /**
   * Seals what was counted when `sealMs` has passed; whether it was. It happens by itself, unless
   * `flushMs` is 0.
   */
  sealWhenDue(): boolean;
  /** What every meter has counted, sealed and seen acknowledged. */
  usage(): Usage[];
  /**
   * The activation request as text, for a machine without internet: paste it, or carry it as a file
   * or QR code; the answer goes into `install`. The same text until it is answered.
   */
  activationRequest(): string;
  /**
   * Gives this device's seat back; the text says so to whoever keeps the seats, where no sync does.
   * The license is needed only where the device holds several seats.
   */
  deactivate(license?: string): string;
  /** Asks for a seat again, after `deactivate`. */
  activate(license: string): void;
  /** Asks to keep a floating seat for so many seconds, to work without a network. */
  borrow(seconds: number, license?: string): void;
  /** Until when this device's seat of a license is kept; `null` without an end or a seat. */
  seatEndsAt(license: string): number | null;
  /**
   * A question for the time as text, for a machine without internet whose clock is in doubt; the
   * answer goes into `install`.
   */
  timeRequest(): string;
  /** The kept segments and receipts, for `mintreu usage verify`. */
  exportUsage(): Uint8Array;
  /** The signed checkpoints that stand for acknowledged segments which are not kept any more. */
  checkpoints(): Uint8Array[];
  /** What to send to the server next, or `null` when this sync is done. */
  nextRequest(): Request | null;
  /** Takes the server's answer. Repeated, late and reordered answers are harmless. */
  onResponse(status: number, body: Uint8Array): void;
}

/**
 * Sends what the server has not acknowledged; gives how many requests were answered.
 *
 * While the server can't be reached or has too much to do, it waits as `retryAfter` says and tries
 * again, as long as all waits together take at most `patienceMs` (10,000). Then it rejects with
 * `server_unavailable` and a `retryAfterMs`, after which to call again: nothing is lost.
 */
export function sync(
  engine: Engine,
  baseUrl: string | URL,
  options?: { fetch?: typeof globalThis.fetch; timeoutMs?: number; patienceMs?: number },
): Promise<number>;

/**
 * How many milliseconds to wait before sending again what the server didn't take: after a 429, a 5xx
 * or no answer at all, so many in a row. `header` is the answer's `Retry-After`, where it had one.
 * At least as long as the server says, else doubling from a second to an hour; spread by chance over
 * half as long again.
 */
export function retryAfter(header: string | null, failures: number): number;

/** A quantity: a whole number, a `bigint`, or a decimal text such as `'2.5'`. */
export type Quantity = number | bigint | string;

/** One meter of a bill; say its usage in one way. */
export interface Charge {
  name: string;
  /** Such as `EUR per_unit 0.0004; free 1000`. */
  tariff: string;
  /** How much in all. */
  quantity?: Quantity;
  /** How many transactions the quantity came in. */
  transactions?: number;
  /** Or each transaction by itself. */
  each?: Quantity[];
  /** Or a quantity for each set of dimensions. */
  cells?: { dimensions: Record<string, string>; quantity: Quantity }[];
}

/** Something paid before it is used: an amount of money, or units of a charge. */
export interface Credit {
  id: string;
  /** Money left, in the bill's currency: `'25.00'`. */
  amount?: string;
  units?: Quantity;
  charge?: string;
  /** Lower burns first; 0 when absent. */
  priority?: number;
  expiresAt?: number;
  createdAt?: number;
}

/** What the charges of a bill have in common. */
export interface BillTerms {
  credits?: Credit[];
  /** The least that all lines come to, in the bill's currency. */
  commitment?: string;
  /** The part of the period that is billed: from, to, and the period's length. */
  share?: [from: number, to: number, length: number];
  /** Credits that expired until then pay nothing; the host's clock when absent. */
  at?: number;
}

/** An exact amount of money in the currency's minor unit. */
export interface Money {
  minor: bigint;
  currency: string;
  text: string;
}

/** One line of a bill; quantities and prices are decimal texts. */
export interface BillLine {
  /** `null` where the line is of the whole bill. */
  charge: string | null;
  /** `free`, `prepaid`, `units`, `tier`, `minimum`, … */
  kind: string;
  quantity: string;
  /** What one unit costs, in the major unit. */
  unit: string | null;
  amount: Money;
  /** One sentence that a person can check with a calculator. */
  text: string;
}

/** A priced quantity: the lines add up to the total exactly. */
export interface Rated {
  total: Money;
  lines: BillLine[];
}

/** What a bill took of a credit. */
export interface Burn {
  credit: string;
  charge: string | null;
  units: string | null;
  amount: Money | null;
}

/** A priced period: the lines add up to the total exactly. */
export interface Bill {
  /** All lines but those that credits pay. */
  cost: Money;
  total: Money;
  lines: BillLine[];
  burns: Burn[];
}

/** Prices a quantity by a tariff, with the arithmetic that the server bills by. */
export function price(tariff: string, quantity: Quantity): Rated;

/** Prices a period: its charges, a commitment over all of them, and the credits that pay first. */
export function bill(charges: Charge[], terms?: BillTerms): Bill;

/** What a customer on a plan may use of a gateway's meter. */
export interface Plan {
  /** Units in each window; without it use is counted and not limited. */
  limit?: number;
  /** `lifetime`, `hour`, `day`, `week` or `month`, which it is where none is given. */
  window?: string;
  /** How many requests: `100/minute`, or `100/minute+20` for 20 at once. */
  rate?: string;
}

/** What a request is told. */
export interface GatewayAnswer {
  allowed: boolean;
  /** `allowed`, `quota_spent`, `rate_limited`; from a server also what is wrong with the key. */
  code: string;
  /** The customer as usage names them: never the key. */
  subject: string | null;
  /** Units left in the window; `null` where there is no quota. */
  remaining: number | null;
  resetsAt: number | null;
  /** What to send along, refused or not: `RateLimit`, `Retry-After` and others. */
  headers: Record<string, string>;
  /** From a server: what the license says of the entitlements asked for. */
  entitlements?: Record<string, boolean | number | string>;
  /** From a server: units used and held beyond the limit, where the license allows that. */
  overage?: number;
  /** From a server: the alert (a percentage of the limit) that this use reached; never by slices. */
  crossed?: number | null;
}

/** Decides about API keys in this process, and counts what it allows. */
export class Gateway {
  /** `secret` has 32 bytes and keys the hashes of API keys: keep it, or customers become others. */
  constructor(engine: Engine, meter: string, secret: Uint8Array, plans: Record<string, Plan>);
  /** The subject that usage names for a key. */
  subject(key: string): string;
  /**
   * May the holder of this key use so many units? What is allowed is counted. Look the key up first:
   * each new one takes room in the folder for good.
   */
  allow(key: string, plan: string, n?: number): GatewayAnswer;
}

/** What asks the server about each key. */
export interface RemoteOptions {
  server: string | URL;
  /** A token of the seller's. */
  token: string;
  meter: string;
  rates?: { per: 'key' | 'license'; rate: string }[];
  /** Names of entitlements to tell of; `*` for all. */
  entitlements?: string[];
  timeoutMs?: number;
  /** Hold units of each key's quota and spend them without asking; rates are kept in memory then. */
  slices?: boolean;
  /** Units of a key's first slice: 100. Later ones follow the demand. */
  sliceSize?: number;
  /** How long a slice is spent without a word to the server: 300. */
  leaseSecs?: number;
  fetch?: typeof globalThis.fetch;
}

/** Asks the server about each key: counted there, once, however often the network fails. */
export class RemoteGateway {
  constructor(options: RemoteOptions);
  /** Rejects with `gateway_unavailable` when the server can't be asked. */
  allow(key: string, plan?: unknown, units?: number, requestId?: string): Promise<GatewayAnswer>;
  /** Reports what was used of slices and gives back the rest. */
  close(): Promise<void>;
}

/** A request as Node's `http` and Express give it. */
export interface GatewayRequest {
  headers: Record<string, string | string[] | undefined>;
  mintreu?: GatewayAnswer;
}

/** How the middleware decides. */
export interface ExpressOptions<Req extends GatewayRequest = GatewayRequest> extends Partial<RemoteOptions> {
  /** A gateway in this process, or of your own; else the server is asked. */
  gateway?: Gateway | RemoteGateway;
  /** The request's API key: `x-api-key`, or a bearer token. */
  by?: (req: Req) => string | null | undefined | Promise<string | null | undefined>;
  /** The key's plan, or `null` for a key that nobody has: `default` where it isn't given. */
  plan?: (key: string, req: Req) => string | null | Promise<string | null>;
  units?: number | ((req: Req) => number);
  /** What to do while the server can't be asked: 503, or let everybody in uncounted. */
  onUnavailable?: 'refuse' | 'allow';
}

/**
 * Middleware for Express: lets a request on and sets its limits' header fields, or answers 401, 403
 * or 429 with them. What it was told is in `req.mintreu`.
 */
export function express<Req extends GatewayRequest = GatewayRequest>(
  options: ExpressOptions<Req>,
): (
  req: Req,
  res: { statusCode: number; setHeader(name: string, value: string): unknown; end(body: string): unknown },
  next: (error?: unknown) => void,
) => Promise<void>;
