"""Slices of quotas, spent by several gateways against one server that lends them."""

import json
import os
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import mintreu
import pytest
from mintreu.asgi import RemoteGateway


class Lender:
    """The server's rule: ``mintreu::gateway::lend_slice``, one window, one key."""

    def __init__(self, limit):
        self.limit, self.lock = limit, threading.Lock()
        self.nodes, self.exact, self.counted, self.asked = {}, 0, 0, []
        self.away = self.lose_next = False
        self.rate, self.code = None, None

    def free(self):
        return self.limit - self.exact - sum(units for _, units, _ in self.nodes.values())

    def check(self, asked):
        if asked["units"] > self.free():
            return 429, {"code": "quota_spent", "api_key_id": "apk_1", "remaining": self.free()}
        self.exact += asked["units"]
        self.counted += asked["units"]
        return 200, {"code": "allowed", "api_key_id": "apk_1", "remaining": self.free()}

    def lend(self, asked):
        number, units, used = self.nodes.get(asked["node"], (0, 0, 0))
        assert asked["last"] <= number and 16 <= len(asked["node"]) <= 64
        if asked["last"] == number:
            assert used <= asked["used"] <= units
            self.counted += asked["used"] - used
            used = asked["used"]
            units = used if asked["closed"] else units
            self.nodes[asked["node"]] = (number, units, used)
            even = self.free() // (2 * len(self.nodes))
            units += min(asked["wanted"], even)
            number += 1
            self.nodes[asked["node"]] = (number, units, used)
        told = {"number": number, "window": 7, "units": units, "used": used, "limit": self.limit}
        about = {"code": "leased", "api_key_id": "apk_1", "license_id": "lic_1", "meter": "calls"}
        ends = {"ends_in_ms": asked["lease_secs"] * 1000, "resets_at": 4_000_000_000_000}
        rest = {"remaining": self.free(), "rate": self.rate, "entitlements": {"pro": True}}
        return 200, {**told, **about, **ends, **rest}

    def answer(self, path, asked):
        with self.lock:
            self.asked.append((path, asked))
            if self.code:
                return 403, {"code": self.code}
            return self.lend(asked) if path.endswith("/slices") else self.check(asked)


@pytest.fixture
def lender():
    lender = Lender(1000)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if lender.away:
                self.close_connection = True
                return
            status, told = lender.answer(self.path, asked)
            if lender.lose_next:
                lender.lose_next = False
                self.close_connection = True
                return
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        lender.url = f"http://127.0.0.1:{server.server_port}"
        yield lender
        server.shutdown()


def node(lender, **more):
    return RemoteGateway(lender.url, token="mtsk_x", meter="calls", slices=True, **more)


def test_units_are_spent_without_asking_and_said_at_the_end(lender):
    gateway = node(lender, slice_size=50)
    first = gateway.allow("mtk_1")
    assert first and first.subject == "apk_1" and first.entitlements == {"pro": True}
    assert (first.remaining, first.resets_at) == (999, 4_000_000_000_000)
    assert first.headers["RateLimit-Policy"] == '"calls";q=1000'
    assert first.headers["X-RateLimit-Remaining"] == "999"
    for _ in range(30):
        assert gateway.allow_here("mtk_1")
    assert len(lender.asked) == 1
    gateway.close()
    assert (lender.counted, lender.free()) == (31, 969)
    assert gateway.allow("mtk_1"), "asked singly after its end"
    assert lender.counted == 32


def test_an_answer_that_was_lost_is_lent_and_counted_once(lender):
    gateway = node(lender, slice_size=10)
    lender.lose_next = True
    assert gateway.allow("mtk_1")
    first, second = lender.asked
    assert first == second and lender.free() == 990
    gateway.close()
    assert lender.counted == 1


def test_several_nodes_of_many_threads_never_use_one_more(lender):
    used = []

    def customer(gateway):
        while gateway.allow("mtk_1"):
            used.append(1)

    def killed(gateway):
        for _ in range(random.randrange(5, 60)):
            assert gateway.allow("mtk_1")
            used.append(1)

    nodes = [node(lender, slice_size=8) for _ in range(3)]
    work = [threading.Thread(target=customer, args=(one,)) for one in nodes for _ in range(3)]
    work.append(threading.Thread(target=killed, args=(node(lender, slice_size=8),)))
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    for one in nodes:
        one.close()
    assert 500 < len(used) <= 1000
    assert lender.counted <= len(used) <= lender.counted + 60
    paths = [path for path, _ in lender.asked]
    assert paths.count("/v1/gateway/slices") < 200 and "/v1/gateway/check" in paths


def test_while_the_server_is_away_what_is_held_is_spent(lender):
    gateway = node(lender, slice_size=20, timeout=1)
    assert gateway.allow("mtk_1")
    lender.away = True
    for _ in range(19):
        assert gateway.allow("mtk_1")
    with pytest.raises(mintreu.MintreuError) as raised:
        gateway.allow("mtk_1")
    assert raised.value.code == "gateway_unavailable"
    lender.away = False
    assert gateway.allow("mtk_1")
    gateway.close()
    assert lender.counted == 21


def test_a_refused_key_is_refused_and_its_own_rate_is_kept(lender):
    gateway = node(lender)
    lender.code = "api_key_disabled"
    assert gateway.allow("mtk_1").code == "api_key_disabled"
    lender.code, lender.rate = None, "2/minute"
    assert gateway.allow("mtk_1") and gateway.allow("mtk_1")
    refused = gateway.allow("mtk_1")
    assert refused.code == "rate_limited" and 1 <= int(refused.headers["Retry-After"]) <= 60
    gateway.close()
    assert lender.counted == 2


def test_a_forked_process_spends_nothing_of_its_parent_s(lender):
    gateway = node(lender, slice_size=10)
    assert gateway.allow("mtk_1")
    child = os.fork()
    if child == 0:
        os._exit(0 if gateway.allow_here("mtk_1") is None else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert gateway.allow_here("mtk_1")
    gateway.close()
