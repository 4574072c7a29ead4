'use strict';

const { randomUUID } = require('node:crypto');

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
  #url;
  #settings;

  constructor({ server, token, meter, rates = [], entitlements = [], ...rest }) {
    if (!server || !token || !meter) throw new TypeError('server, token and meter are needed');
    this.#url = new URL('/v1/gateway/check', server);
    this.#settings = { token, meter, rates, entitlements, timeoutMs: TIMEOUT_MS, fetch, ...rest };
  }

  async allow(key, _plan, units = 1, requestId = randomUUID()) {
    const { token, meter, rates, entitlements } = this.#settings;
    const body = { key, meter, units, request_id: requestId, rates, entitlements };
    const response = await this.#ask(token, JSON.stringify(body));
    const told = await response.json().catch(() => ({}));
    const headers = {};
    for (const name of LIMIT_HEADERS) {
      const value = response.headers.get(name);
      if (value !== null) headers[name] = value;
    }
    if (response.status >= 500 || (response.status === 401 && told.code === 'token_invalid')) {
      throw unavailable(told.detail ?? `the server answered ${response.status}`);
    }
    return {
      allowed: response.ok,
      code: told.code ?? 'internal',
      subject: told.api_key_id ?? null,
      remaining: told.remaining ?? null,
      resetsAt: told.resets_at ?? null,
      entitlements: told.entitlements ?? {},
      headers,
    };
  }

  // The request id makes asking again harmless: what was counted is not counted twice.
  async #ask(token, body) {
    const { fetch: send, timeoutMs } = this.#settings;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const response = await send(this.#url, {
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
