'use strict';

const native = require('./mintreu.node');

const MOST_REQUESTS = 10_000;
const TIMEOUT_MS = 30_000;
const PATIENCE_MS = 10_000;

// How many tries have failed in a row, over all calls: each doubles the wait.
const failures = new WeakMap();

const retryAfter = (header, failed) =>
  native.retryAfter(header ?? undefined, failed, Math.floor(Math.random() * 2 ** 32));

/**
 * Sends what the server has not acknowledged, with the `fetch` of Node; see index.d.ts.
 */
async function sync(engine, baseUrl, options = {}) {
  const { fetch: send = fetch, timeoutMs = TIMEOUT_MS, patienceMs = PATIENCE_MS } = options;
  let [answered, missed, patience] = [0, false, patienceMs];
  while (answered < MOST_REQUESTS) {
    const request = engine.nextRequest();
    if (request === null) {
      if (!missed) break;
      // What found no answer is asked for again in another round.
      missed = false;
      continue;
    }
    const url = new URL(request.path, baseUrl);
    const later = await exchange(engine, url, request, { send, timeoutMs });
    if (later === null) {
      failures.delete(engine);
      answered += 1;
      continue;
    }
    missed = true;
    patience -= later.retryAfterMs;
    if (patience < 0) throw later;
    await new Promise((waited) => setTimeout(waited, later.retryAfterMs));
  }
  return answered;
}

// Sends a request and gives its answer to the engine; the error where it must be sent later.
async function exchange(engine, url, request, how) {
  let header = null;
  try {
    const answer = await post(url, request, how);
    header = answer.header;
    engine.onResponse(answer.status, answer.body);
    return null;
  } catch (error) {
    if (error.code !== 'server_unavailable') throw error;
    const failed = (failures.get(engine) ?? 0) + 1;
    failures.set(engine, failed);
    return Object.assign(error, { retryAfterMs: retryAfter(header, failed) });
  }
}

async function post(url, request, { send, timeoutMs }) {
  try {
    const response = await send(url, {
      method: request.method,
      headers: { 'content-type': request.contentType },
      body: request.body,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const header = response.headers.get('retry-after');
    return { status: response.status, header, body: new Uint8Array(await response.arrayBuffer()) };
  } catch (cause) {
    const error = new Error(`${url.origin} can't be reached: ${cause.message}`, { cause });
    throw Object.assign(error, { code: 'server_unavailable' });
  }
}

module.exports = { retryAfter, sync };
