'use strict';

const { randomUUID } = require('node:crypto');
const { Slices } = require('./slices.js');

const TIMEOUT_MS = 5_000;
const ATTEMPTS = 3;
const LIMIT_HEADERS = [
  'RateLimit',
  'RateLimit-Policy',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'Retry-After',
];

/** Asks the server about each key: counted there, once, however often the network fails. */
class RemoteGateway {
  #server;
  #settings;
  #slices = null;

  constructor({ server, token, meter, rates = [], entitlements = [], slices = false, sliceSize = 100, leaseSecs = 300, ...rest }) {
    if (!server || !token || !meter) throw new TypeError('server, token and meter are needed');
    this.#server = server;
    this.#settings = { token, meter, rates, entitlements, timeoutMs: TIMEOUT_MS, fetch, ...rest };
    if (slices) {
      const send = (question) => this.#lease(question);
      this.#slices = new Slices({ question: { meter, entitlements }, rates, size: sliceSize, leaseSecs, send });
    }
  }

  async allow(key, _plan, units = 1, requestId = null) {
    // The server knows the request ids of other processes.
    if (this.#slices && requestId === null) {
      const decided = await this.#slices.allow(key, units);
      if (decided?.refused) return answer(decided.refused.status, decided.refused.told, {});
      if (decided) return decided;
    }
    const { meter, rates, entitlements } = this.#settings;
    const body = { key, meter, units, request_id: requestId ?? randomUUID(), rates, entitlements };
    const response = await this.#ask('/v1/gateway/check', JSON.stringify(body));
    const told = await response.json().catch(() => ({}));
    const headers = {};
    for (const name of LIMIT_HEADERS) {
      const value = response.headers.get(name);
      if (value !== null) headers[name] = value;
    }
    return answer(response.status, told, headers);
  }

  /** Reports what was used of slices and gives back the rest; nothing without slices. */
  async close() {
    await this.#slices?.close();
  }

  async #lease(question) {
    const response = await this.#ask('/v1/gateway/slices', JSON.stringify(question));
    const told = await response.json().catch(() => ({}));
    answer(response.status, told, {});
    return { status: response.status, told };
  }

  // The request id makes asking again harmless: what was counted is not counted twice.
  async #ask(path, body) {
    const { token, fetch: send, timeoutMs } = this.#settings;
    const url = new URL(path, this.#server);
    for (let attempt = 1; ; attempt += 1) {
      try {
        const response = await send(url, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body,
          redirect: 'manual',
          signal: AbortSignal.timeout(timeoutMs),
        });
        if (response.status !== 503 || attempt === ATTEMPTS) return response;
      } catch (cause) {
        if (attempt === ATTEMPTS) throw unavailable(cause.message, cause);
      }
    }
  }
}

function answer(status, told, headers) {
  if (status >= 500 || (status === 401 && told.code === 'token_invalid')) {
    throw unavailable(told.detail ?? `the server answered ${status}`);
  }
  return {
    allowed: status === 200,
    code: told.code ?? 'internal',
    subject: told.api_key_id ?? null,
    remaining: told.remaining ?? null,
    overage: told.overage ?? 0,
    crossed: told.crossed ?? null,
    resetsAt: told.resets_at ?? null,
    entitlements: told.entitlements ?? {},
    headers,
  };
}

function unavailable(detail, cause) {
  const error = new Error(`the key can't be checked: ${detail}`, { cause });
  return Object.assign(error, { code: 'gateway_unavailable' });
}

/** The API key of a request: `x-api-key`, or a bearer token. */
function keyOf(req) {
  const given = req.headers['x-api-key'];
  if (given) return given;
  const [, bearer] = /^bearer\s+(\S+)$/i.exec(req.headers.authorization ?? '') ?? [];
  return bearer ?? null;
}

// What the customer of an API is told: their key is wrong (401), they may not (403), not now (429).
const STATUS = {
  api_key_missing: 401,
  api_key_unknown: 401,
  token_mistyped: 401,
  api_key_disabled: 403,
  license_expired: 403,
  license_revoked: 403,
  quota_spent: 429,
  rate_limited: 429,
};

/**
 * Middleware for Express (and whatever calls `(req, res, next)`): see index.d.ts.
 */
function express({ gateway, by = keyOf, plan = () => 'default', units = 1, onUnavailable = 'refuse', ...remote }) {
  const gate = gateway ?? new RemoteGateway(remote);
  const cost = typeof units === 'function' ? units : () => units;
  return async function mintreu(req, res, next) {
    try {
      const key = await by(req);
      const name = key ? await plan(key, req) : null;
      if (!key || name === null || name === undefined) {
        return refuse(res, key ? 'api_key_unknown' : 'api_key_missing', {});
      }
      const answer = await gate.allow(key, name, cost(req));
      if (!answer.allowed) return refuse(res, answer.code, answer.headers);
      for (const [field, value] of Object.entries(answer.headers)) res.setHeader(field, value);
      req.mintreu = answer;
      return next();
    } catch (error) {
      if (error.code !== 'gateway_unavailable') return next(error);
      if (onUnavailable === 'allow') return next();
      return refuse(res, error.code, { 'Retry-After': '1' });
    }
  };
}

function refuse(res, code, headers) {
  const status = STATUS[code] ?? (code === 'gateway_unavailable' ? 503 : 500);
  for (const [field, value] of Object.entries(headers)) res.setHeader(field, value);
  res.statusCode = status;
  res.setHeader('Content-Type', 'application/problem+json');
  res.setHeader('Cache-Control', 'no-store');
  if (status === 401) res.setHeader('WWW-Authenticate', 'Bearer');
  res.end(JSON.stringify({ type: `urn:mintreu:problem:${code}`, status, code }));
}

module.exports = { RemoteGateway, express };
