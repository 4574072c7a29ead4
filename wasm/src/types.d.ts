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
  /** Key sets, older ones first; only a verdict looks at them. */
  keySets?: string[];
  /** Revocation lists; only a verdict looks at them. */
  revocations?: string[];
}

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

/** Whose use is counted (an opaque id) and how it is split. */
export interface Cell {
  subject?: string;
  dimensions?: Record<string, string>;
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
}

/** One count. */
export interface Total {
  meter: string;
  subject: string;
  dimensions: Record<string, string>;
  units: bigint;
}

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
