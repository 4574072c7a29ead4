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
  /** When the window ends, in milliseconds since 1970; `null` for a lifetime or no limit. */
  resetsAt: number | null;
}

/** One count. */
export interface Total {
  meter: string;
  subject: string;
  dimensions: Record<string, string>;
  units: bigint;
}

/** An exact amount of money in the currency's minor unit. */
export interface Money {
  minor: bigint;
  currency: string;
  text: string;
}

/** A priced quantity: the lines add up to the total exactly. */
export interface Rated {
  total: Money;
  lines: { kind: string; quantity: bigint; amount: Money; text: string }[];
}
