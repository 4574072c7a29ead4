"""API keys in a backend: in this process, by a server, and through the middleware."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import mintreu
import pytest
from mintreu.asgi import Guard, RemoteGateway

SECRET = bytes(32)
PLANS = {
    "free": mintreu.Plan(limit=3, window="day"),
    "fast": mintreu.Plan(rate="2/minute"),
}


@pytest.fixture
def gateway(engine):
    return mintreu.Gateway(engine, "api.calls", secret=SECRET, plans=PLANS)


def code_of(call):
    with pytest.raises(mintreu.MintreuError) as raised:
        call()
    return raised.value.code


def get(app, **headers):
    """One request to an ASGI app: status, header fields, body."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": pairs}
    asyncio.run(app(scope, receive, send))
    start, *bodies = sent
    fields = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], fields, b"".join(part.get("body", b"") for part in bodies)


async def greeting(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["mintreu"].subject.encode()})


def test_each_customer_has_limits_of_their_own(engine, gateway):
    assert gateway.allow("ada", "free", 2).remaining == 1
    spent = gateway.allow("ada", "free", 2)
    assert not spent and spent.code == "quota_spent" and spent.resets_at is not None
    assert gateway.allow("bob", "free").remaining == 2
    assert gateway.allow("cleo", "fast") and gateway.allow("cleo", "fast")
    assert gateway.allow("cleo", "fast").headers["Retry-After"] == "30"
    assert code_of(lambda: gateway.allow("ada", "gold")) == "plan_unknown"
    assert code_of(lambda: mintreu.Plan(rate="often")) == "rate_invalid"
    with pytest.raises(ValueError):
        mintreu.Gateway(engine, "x", secret=b"short", plans={})
    counted = {cell.subject: cell.counted for cell in engine.usage()}
    assert counted[gateway.subject("ada")] == 2


def test_the_middleware_counts_once_and_refuses_with_the_right_fields(engine, gateway):
    plans = {"ada": "free"}
    app = Guard(greeting, gateway=gateway, plan=plans.get)
    for left in (2, 1, 0):
        status, fields, body = get(app, x_api_key="ada")
        assert (status, body.decode()) == (200, gateway.subject("ada"))
        assert fields["ratelimit"].startswith(f'"api.calls";r={left};t=')
    status, fields, body = get(app, authorization="Bearer ada")
    assert status == 429 and int(fields["retry-after"]) > 0
    assert fields["content-type"] == "application/problem+json"
    assert json.loads(body)["code"] == "quota_spent"
    assert get(app)[0] == 401 and get(app, x_api_key="nobody")[0] == 401
    assert [cell.counted for cell in engine.usage()] == [3]


class Playing(BaseHTTPRequestHandler):
    """A server that fails once, then answers."""

    seen: list = []

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append({**asked, "token": self.headers["Authorization"]})
        if len(self.seen) == 1:
            self.close_connection = True
            return
        spent = asked["key"] == "spent"
        told = {"code": "quota_spent"} if spent else {"code": "allowed", "api_key_id": "apk_1"}
        body = json.dumps({**told, "remaining": 0}).encode()
        self.send_response(429 if spent else 200)
        self.send_header("RateLimit", '"calls";r=0;t=9')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_the_server_is_asked_again_with_the_same_request_id():
    Playing.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Playing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        remote = RemoteGateway(url, token="mtsk_x", meter="calls", rates=(("key", "9/second"),))
        answer = remote.allow("mtk_1", n=2)
        assert answer and answer.subject == "apk_1"
        first, second = Playing.seen
        assert first["request_id"] == second["request_id"]
        assert (second["units"], second["token"]) == (2, "Bearer mtsk_x")
        assert second["rates"] == [{"per": "key", "rate": "9/second"}]
        status, fields, _ = get(Guard(greeting, gateway=remote), x_api_key="mtk_1")
        assert status == 200 and fields["ratelimit"] == '"calls";r=0;t=9'
        assert get(Guard(greeting, gateway=remote), x_api_key="spent")[0] == 429
        server.shutdown()


def test_while_the_server_is_away_requests_wait_or_go_on():
    away = RemoteGateway("http://127.0.0.1:1", token="mtsk_x", meter="calls", timeout=1)
    assert code_of(lambda: away.allow("k")) == "gateway_unavailable"

    async def anything(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    assert get(Guard(anything, gateway=away), x_api_key="k")[0] == 503
    lenient = Guard(anything, gateway=away, allow_when_unavailable=True)
    assert get(lenient, x_api_key="k")[0] == 200
