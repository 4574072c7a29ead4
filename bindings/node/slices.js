'use strict';

// Slices of quotas: units that this process holds of a key's quota, and spends without asking. The
// rule is `mintreu::gateway::Slice`'s. A slice lives in memory: a process that is killed leaves what
// it held deducted until the window ends, so that all together never use too much.

const { randomUUID } = require('node:crypto');

const PAUSE_MS = 1_000;
const SHORT_MS = 10_000;
const MAX_SLICE = 1_000_000;
const MAX_KEYS = 10_000;
const PERIODS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** `100/minute` or `100/minute+20`: GCRA, in this process's memory. */
class Rate {
  constructor(text) {
    const [, units, per, burst] = /^\s*(\d+)\s*\/\s*(\w+)\s*(?:\+\s*(\d+))?\s*$/.exec(text) ?? [];
    this.units = Number(units);
    this.periodMs = PERIODS[per] ?? Number(/^(\d+)ms$/.exec(per ?? '')?.[1]);
    if (!(this.units > 0 && this.periodMs > 0)) throw new TypeError(`${text} is no rate: write 100/minute`);
    this.burst = Number(burst ?? units);
    this.interval = this.periodMs / this.units;
    this.fullAt = 0;
  }

  /** Milliseconds until one more is allowed; 0 when it is. */
  wait(now) {
    return Math.max(0, this.fullAt - this.interval * (this.burst - 1) - now);
  }

  take(now) {
    this.fullAt = Math.max(this.fullAt, now) + this.interval;
  }

  left(now) {
    const ahead = Math.max(0, this.fullAt - now);
    return Math.max(0, Math.floor(this.burst - ahead / this.interval + 1e-9));
  }
}

/** What this process holds of one key's quota. */
class Slice {
  node = randomUUID();
  number = 0;
  window = 0;
  units = 0;
  used = 0;
  told = null;
  rates = [];
  dropped = false;
  /** The request on its way, if there is one: everybody waits for the same. */
  asking = null;
  #begunAt = -Infinity;
  #endsAt = -Infinity;
  #checkUntil = -Infinity;
  #waiting = null;
  #shortOf = 0;
  #size;

  constructor(size) {
    this.#size = size;
  }

  isOver(now) {
    return now >= this.#endsAt;
  }

  unspent(now) {
    if (this.dropped || this.#waiting?.asked.closed || this.isOver(now)) return 0;
    return Math.max(0, this.units - this.used);
  }

  /** `granted`, `check` or `lease`. */
  spend(n, now) {
    const unspent = this.unspent(now);
    if (unspent > 0 && n <= unspent) {
      this.used += n;
      return 'granted';
    }
    if (now < this.#checkUntil) return 'check';
    this.#shortOf = n;
    return 'lease';
  }

  isLow(now) {
    return now >= this.#checkUntil && this.unspent(now) <= Math.floor(this.#size / 4);
  }

  pause(now) {
    this.#checkUntil = now + PAUSE_MS;
  }

  /** What to send; the same again until it was answered. */
  request(now) {
    if (!this.#waiting) {
      const over = this.isOver(now);
      this.#resize(over, now);
      this.#seal(over && this.number > 0, Math.max(this.#size, this.#shortOf), now);
    }
    return this.#waiting.asked;
  }

  /** What was used; the rest goes back. */
  lastWord(now) {
    if (!this.#waiting && this.number === 0) return null;
    if (!this.#waiting) this.#seal(true, 0, now);
    return this.#waiting.asked;
  }

  answered(given, now) {
    if (!this.#waiting || given.number <= this.number) return;
    const { asked, sentAt } = this.#waiting;
    if (given.window !== asked.window || this.number === 0) this.used = given.used;
    Object.assign(this, { number: given.number, window: given.window, units: given.units, told: given });
    this.#begunAt = sentAt;
    this.#endsAt = sentAt + given.ends_in_ms;
    this.#waiting = null;
    const unspent = this.unspent(now);
    if (unspent === 0 || unspent < this.#shortOf) {
      // A window that ended meanwhile is asked about at once.
      this.#checkUntil = this.isOver(now) ? now : now + PAUSE_MS;
    }
    this.#shortOf = 0;
  }

  #seal(closed, wanted, now) {
    const asked = { last: this.number, window: this.window, used: this.used, closed, wanted };
    this.#waiting = { asked, sentAt: now };
  }

  /** Twice as many when a slice was soon used up, half when most of it wasn't used. */
  #resize(over, now) {
    if (this.number === 0) return;
    if (over && this.units - this.used > this.#size / 2) {
      this.#size = Math.max(1, Math.floor(this.#size / 2));
    } else if (!over && now < this.#begunAt + SHORT_MS) {
      this.#size = Math.min(MAX_SLICE, this.#size * 2);
    }
  }
}

/** The slices of this process, by key. `send` posts a question and gives `{ status, told }`. */
class Slices {
  #byKey = new Map();
  #shared = new Map();
  #settings;
  #timer = null;
  #ended = false;

  constructor(settings) {
    this.#settings = settings;
    this.#settings.size = Math.min(Math.max(1, settings.size), MAX_SLICE);
  }

  /** What was decided, `{ refused }` as the server said, or null: the server must be asked. */
  async allow(key, n) {
    const slice = this.#slice(key);
    if (!slice) return null;
    for (let attempt = 0; attempt < 4; attempt += 1) {
      const now = performance.now();
      const fast = slice.rates.some((rate) => rate.limit.wait(now) > 0);
      if (fast) return this.#answer(slice, 'rate_limited', now);
      const spent = slice.dropped ? 'check' : slice.spend(n, now);
      if (spent !== 'lease') {
        // Requests that are asked about singly fall under this process's rates too.
        for (const rate of slice.rates) rate.limit.take(now);
        if (spent === 'check') return null;
        if (slice.isLow(now)) this.#lease(key, slice).catch(() => slice.pause(performance.now()));
        return this.#answer(slice, null, now);
      }
      const refused = await this.#lease(key, slice);
      if (refused) return { refused };
    }
    return null;
  }

  /** Reports everything and gives back what is unspent; what comes later is asked singly. */
  async close() {
    this.#ended = true;
    clearInterval(this.#timer);
    await Promise.all([...this.#byKey].map(([key, slice]) => this.#sayLast(key, slice).catch(() => {})));
  }

  #slice(key) {
    const found = this.#byKey.get(key);
    if (found || this.#ended || this.#byKey.size >= MAX_KEYS) return found ?? null;
    const slice = new Slice(this.#settings.size);
    this.#byKey.set(key, slice);
    this.#timer ??= setInterval(() => this.#sweep(), Math.max(500, this.#settings.leaseSecs * 250)).unref();
    return slice;
  }

  /** One request at a time: who comes meanwhile waits for its answer. */
  #lease(key, slice) {
    slice.asking ??= this.#ask(key, slice, slice.request(performance.now())).finally(() => {
      slice.asking = null;
    });
    return slice.asking;
  }

  async #ask(key, slice, asked) {
    const { question, leaseSecs, send } = this.#settings;
    const { status, told } = await send({ ...question, key, node: slice.node, lease_secs: leaseSecs, ...asked });
    if (status === 200) {
      slice.answered(told, performance.now());
      this.#keepRates(slice);
      return null;
    }
    this.#drop(key, slice);
    // No slice is to be had, which says nothing against the request.
    return status === 409 ? null : { status, told };
  }

  #drop(key, slice) {
    slice.dropped = true;
    if (this.#byKey.get(key) === slice) this.#byKey.delete(key);
  }

  #keepRates(slice) {
    const { told } = slice;
    if (slice.rates.length > 0) return;
    const kept = (name, whom, text) => {
      const id = `${name} ${whom} ${text}`;
      if (!this.#shared.has(id)) this.#shared.set(id, new Rate(text));
      slice.rates.push({ name, limit: this.#shared.get(id) });
    };
    for (const { per, rate } of this.#settings.rates) {
      kept(per, per === 'key' ? told.api_key_id : told.license_id, rate);
    }
    if (told.rate) kept('own', told.api_key_id, told.rate);
  }

  #answer(slice, refusedBy, now) {
    const { told } = slice;
    const remaining = told.remaining === null ? null : told.remaining + slice.unspent(now);
    const headers = fields(slice, remaining, now);
    if (refusedBy) {
      const wait = Math.max(...slice.rates.map((rate) => rate.limit.wait(now)));
      headers['Retry-After'] = String(Math.max(1, Math.ceil(wait / 1000)));
    }
    return {
      allowed: !refusedBy,
      code: refusedBy ?? 'allowed',
      subject: told.api_key_id,
      remaining,
      overage: told.overage ?? 0,
      crossed: null,
      resetsAt: told.resets_at,
      entitlements: told.entitlements,
      headers,
    };
  }

  /** What idle keys hold is reported when its lease is over. */
  #sweep() {
    const now = performance.now();
    for (const [key, slice] of this.#byKey) {
      // It is said again at the next turn, or by the next request.
      if (slice.isOver(now)) this.#sayLast(key, slice).catch(() => {});
    }
  }

  async #sayLast(key, slice) {
    // A request that was never answered comes before the last word.
    for (let word = 0; word < 3 && !slice.dropped; word += 1) {
      if (slice.asking) {
        await slice.asking;
        continue;
      }
      const asked = slice.lastWord(performance.now());
      if (!asked) return;
      slice.asking = this.#ask(key, slice, asked).finally(() => {
        slice.asking = null;
      });
      await slice.asking;
      if (asked.closed && asked.wanted === 0) this.#drop(key, slice);
    }
  }
}

function fields(slice, remaining, now) {
  const { limit, meter, resets_at: resetsAt } = slice.told;
  const policies = [];
  const states = [];
  const headers = {};
  if (limit !== null && remaining !== null) {
    const name = `"${meter.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
    const until = resetsAt === null ? null : Math.max(0, Math.ceil((resetsAt - Date.now()) / 1000));
    policies.push(`${name};q=${limit}`);
    states.push(`${name};r=${remaining}${until === null ? '' : `;t=${until}`}`);
    headers['X-RateLimit-Limit'] = String(limit);
    headers['X-RateLimit-Remaining'] = String(remaining);
    if (resetsAt !== null) headers['X-RateLimit-Reset'] = String(Math.ceil(resetsAt / 1000));
  }
  for (const { name, limit: rate } of slice.rates) {
    policies.push(`"${name}";q=${rate.units};w=${Math.ceil(rate.periodMs / 1000)}`);
    states.push(`"${name}";r=${rate.left(now)};t=${Math.ceil(rate.wait(now) / 1000)}`);
  }
  if (policies.length > 0) {
    headers['RateLimit-Policy'] = policies.join(', ');
    headers.RateLimit = states.join(', ');
  }
  return headers;
}

module.exports = { Slices };
