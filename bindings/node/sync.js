'use strict';

const MOST_REQUESTS = 10_000;
const TIMEOUT_MS = 30_000;

/**
 * Sends what the server has not acknowledged, with the `fetch` of Node; see index.d.ts.
 */
async function sync(engine, baseUrl, { fetch: send = fetch, timeoutMs = TIMEOUT_MS } = {}) {
  for (let answered = 0; answered < MOST_REQUESTS; answered += 1) {
    const request = engine.nextRequest();
    if (request === null) return answered;
    const { status, body } = await post(send, new URL(request.path, baseUrl), request, timeoutMs);
    engine.onResponse(status, body);
  }
  return MOST_REQUESTS;
}

async function post(send, url, request, timeoutMs) {
  try {
    const response = await send(url, {
      method: request.method,
      headers: { 'content-type': request.contentType },
      body: request.body,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: response.status, body: new Uint8Array(await response.arrayBuffer()) };
  } catch (cause) {
    const error = new Error(`${url.origin} can't be reached: ${cause.message}`, { cause });
    throw Object.assign(error, { code: 'server_unavailable' });
  }
}

module.exports = { sync };
