"""The Standard Webhooks library for Python, unmodified, verifies what our server delivers."""

import base64
import http.server
import json
import os
import queue
import subprocess
import threading

import httpx
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError


@pytest.fixture(scope="module")
def receiver():
    """A server that keeps what it is told: its address, and what arrived."""
    received = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.end_headers()
            received.put((dict(self.headers.items()), body))

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", received
    server.shutdown()


@pytest.fixture(scope="module")
def seller(tmp_path_factory):
    """A demo server, asked by a seller of its own."""
    folder = tmp_path_factory.mktemp("webhooks")
    listen = ["--folder", str(folder / "shop"), "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(
        [os.environ["MINTREU_BIN"], "--json", "demo", *listen], stdout=subprocess.PIPE, text=True
    )
    url = json.loads(server.stdout.readline())["url"].rstrip("/")
    try:
        with httpx.Client(base_url=url) as browser:
            person = {"email": "ada@hooks.example", "name": "Ada", "password": "quiet herons at dusk"}
            assert browser.post("/v1/accounts", json=person).is_success
            assert browser.post("/v1/sessions", json=person).is_success
            assert browser.post("/v1/me/developer").is_success
            yield browser
    finally:
        server.terminate()
        server.wait()


def refuses(secret, body, headers):
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers)


def test_a_delivery_verifies_and_a_tampered_one_is_refused(seller, receiver):
    url, received = receiver
    made = seller.post("/v1/webhook-endpoints", json={"url": url}).json()
    path = f"/v1/webhook-endpoints/{made['webhook_endpoint_id']}"
    assert seller.post(f"{path}/test").status_code == 202
    headers, body = received.get(timeout=20)
    event = Webhook(made["secret"]).verify(body, headers)
    assert event["type"] == "webhook.test"
    assert event["data"] == {"webhook_endpoint_id": made["webhook_endpoint_id"]}
    refuses(made["secret"], body.replace(b"webhook.test", b"webhook.tost"), headers)
    refuses(made["secret"], body, {**headers, "webhook-id": "evt_other"})

    # After a rotation, who holds either secret verifies; who holds another doesn't.
    rotated = seller.post(f"{path}/rotate").json()
    assert seller.post(f"{path}/test").status_code == 202
    headers, body = received.get(timeout=20)
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (made["secret"], rotated["secret"]):
        assert Webhook(secret).verify(body, headers)["type"] == "webhook.test"
    refuses("whsec_" + base64.b64encode(bytes(32)).decode(), body, headers)
