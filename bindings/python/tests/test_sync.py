"""Syncs against a server that has too much to do, and one that isn't there."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

import mintreu


@pytest.fixture
def server():
    """Answers each request by the next of `answers`, the last one for ever; keeps when it did."""

    class Busy(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            answers = self.server.answers
            status, headers = answers.pop(0) if len(answers) > 1 else answers[0]
            self.server.asked.append((time.monotonic(), self.path))
            self.send_response(status)
            for header in headers.items():
                self.send_header(*header)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    server.asked, server.url = [], f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


class Asks:
    """An engine with so many questions, that asks again in its next round what wasn't answered."""

    def __init__(self, *questions):
        self.open, self.round, self.last = list(questions), list(questions), None

    def next_request(self):
        if not self.round:
            self.round = list(self.open)
            return None
        self.last = self.round.pop(0)
        return SimpleNamespace(method="POST", path=self.last, content_type="text/plain", body=b"?")

    def on_response(self, status, body):
        if status == 503:
            raise mintreu.MintreuError("server_unavailable", "later")
        self.open.remove(self.last)


def test_a_busy_server_is_asked_again_when_it_says(server):
    server.answers = [(503, {"Retry-After": "2"}), (204, {})]
    engine = Asks("/time", "/keys")
    assert mintreu.sync(engine, server.url) == 2
    assert [path for _, path in server.asked] == ["/time", "/keys", "/time"]
    (first, _), (second, _), (third, _) = server.asked
    assert 2.0 <= second - first < 4.0
    assert third - second < 1.0, "who is answered goes on"
    assert engine.open == []


def test_patience_ends_and_the_error_says_when_to_come_back(engine, server):
    server.answers = [(429, {"Retry-After": "120"})]
    with pytest.raises(mintreu.MintreuError, match="server_unavailable") as later:
        mintreu.sync(engine, server.url)
    assert len(server.asked) == 1, "a server's word is not undercut"
    assert 120.0 <= later.value.retry_after <= 180.0


def test_waits_double_over_calls_and_start_anew_after_an_answer(engine, server):
    def wait():
        with pytest.raises(mintreu.MintreuError, match="server_unavailable") as later:
            mintreu.sync(engine, server.url, patience=0)
        return later.value.retry_after

    server.answers = [(503, {})]
    for least in [1.0, 2.0, 4.0]:
        assert least <= wait() <= 1.5 * least
    server.answers = [(404, {})]
    with pytest.raises(mintreu.MintreuError, match="sync_refused"):
        mintreu.sync(engine, server.url)
    server.answers = [(503, {})]
    assert 1.0 <= wait() <= 1.5


def test_a_refusal_is_not_tried_again(engine, server):
    server.answers = [(422, {})]
    with pytest.raises(mintreu.MintreuError, match="sync_refused") as refused:
        mintreu.sync(engine, server.url)
    assert (len(server.asked), refused.value.retry_after) == (1, None)


def test_no_server_at_all(engine, server):
    server.shutdown()
    server.server_close()
    with pytest.raises(mintreu.MintreuError, match="server_unavailable") as later:
        mintreu.sync(engine, server.url, patience=0)
    assert 1.0 <= later.value.retry_after <= 1.5
    with pytest.raises(ValueError, match="base_url"):
        mintreu.sync(engine, "licenses.example.com")


def test_how_long_to_wait():
    waits = {mintreu.retry_after("30", 1) for _ in range(200)}
    assert 30.0 <= min(waits) < max(waits) <= 45.0
    assert 3600.0 <= mintreu.retry_after(None, 100) <= 5400.0
    assert 1.0 <= mintreu.retry_after("Wed, 21 Oct 2026 07:28:00 GMT", 1) <= 1.5
