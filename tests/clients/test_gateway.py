"""Our own gateways of Python and Node against our server: several nodes on one quota of 500.

Their own suites lend slices from a stand-in; here the server that really lends them must agree.
"""

import json
import os
import subprocess
import threading
from pathlib import Path

import httpx
import pytest
from mintreu.asgi import RemoteGateway

PASSWORD = "look around freely"
LIMIT = 500
NODE = Path(__file__).with_name("gateway_node.cjs")


@pytest.fixture
def keyed(tmp_path):
    """A demo server, a seller's token, and an API key of a license with 500 runs a month."""
    listen = ["--folder", str(tmp_path / "shop"), "--listen", "127.0.0.1:0"]
    command = [os.environ["MINTREU_BIN"], "--json", "demo", *listen]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    url = json.loads(server.stdout.readline())["url"].rstrip("/")
    try:
        yield {"url": url, **sold(url)}
    finally:
        server.terminate()
        server.wait()


def sold(url):
    with httpx.Client(base_url=url) as seller, httpx.Client(base_url=url) as customer:
        for browser, email in [(seller, "hiro@quillcrate.example"), (customer, "jonas@customer.example")]:
            assert browser.post("/v1/sessions", json={"email": email, "password": PASSWORD}).is_success
        token = told(seller.post("/v1/tokens", json={"name": "nodes"}))["token"]
        once = {"Idempotency-Key": "a-box-of-one"}
        wanted = {"count": 1, "label": "A box of one"}
        made = told(seller.post("/v1/products/mutant/licenses", json=wanted, headers=once))
        redeemed = told(customer.post("/v1/licenses/redeem", json={"code": made["codes"][0]["code"]}))
        keys = f"/v1/licenses/{redeemed['license_id']}/api-keys"
        key = told(customer.post(keys, json={"name": "Backend"}))["secret"]
        return {"token": token, "key": key, "license": redeemed["license_id"]}


def told(answer):
    assert answer.is_success, answer.text
    return answer.json()


def node(keyed, **more):
    return RemoteGateway(keyed["url"], token=keyed["token"], meter="runs", **more)


def spend(gateway, key, granted, tries):
    for _ in range(tries):
        if gateway.allow(key):
            granted.append(1)


def test_nodes_of_two_languages_spend_one_quota_and_no_unit_more(keyed):
    granted, gateways = [], [node(keyed, slices=True, slice_size=40) for _ in range(2)]
    threads = [
        threading.Thread(target=spend, args=(gateway, keyed["key"], granted, 400))
        for gateway in gateways
    ]
    script = ["node", str(NODE), keyed["url"], keyed["token"], keyed["key"], "400"]
    other = subprocess.Popen(script, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "ready\n"
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    theirs = int(other.communicate(timeout=60)[0])
    assert other.returncode == 0
    assert theirs > 0 and len(granted) > 0, "both languages had their part"
    for gateway in gateways:
        gateway.close()
    # What nobody holds any more is there to the last unit, one by one.
    rest = []
    spend(node(keyed), keyed["key"], rest, LIMIT)
    assert len(granted) + theirs + len(rest) == LIMIT


def test_a_node_that_vanishes_takes_its_slice_along_and_nothing_else(keyed):
    vanished = node(keyed, slices=True, slice_size=40)
    assert vanished.allow(keyed["key"])
    vanished._slices = None
    rest = []
    spend(node(keyed), keyed["key"], rest, LIMIT)
    assert LIMIT - 40 <= len(rest) < LIMIT, "never too much, and at most a slice too little"


def test_a_key_that_nobody_has_is_refused(keyed):
    gateway = node(keyed, slices=True)
    try:
        answer = gateway.allow("mtk_nobody")
    finally:
        gateway.close()
    assert not answer and answer.code == "token_mistyped", answer
