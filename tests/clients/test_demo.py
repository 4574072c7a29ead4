"""The demo as somebody uses it who tries it: started from the command line under the real clock,
bought from, counted against, and moved by a month. What it logs says whether anything broke that
no page showed.
"""

import contextlib
import json
import os
import re
import subprocess
import time

import httpx
import pytest

import mintreu

PASSWORD = "look around freely"
SELLER, BUYER = "tomasz@northbeam.example", "jonas@customer.example"
PRODUCT, METER = "northbeam-translate", "characters"
# What a demo may complain of; nothing so far.
EXPECTED = []
MONTH = 30 * 24 * 60 * 60


class Demo:
    def __init__(self, folder):
        self.folder, self.log = folder, folder.with_suffix(".log")
        command = [os.environ["MINTREU_BIN"], "--json", "demo", "--folder", str(folder)]
        with open(self.log, "a") as log:
            self.server = subprocess.Popen(
                [*command, "--listen", "127.0.0.1:0"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.url = json.loads(self.server.stdout.readline())["url"]

    def stop(self):
        self.server.terminate()
        assert self.server.wait(30) == 0

    def complaints(self):
        """Every line above INFO, without those that are expected."""
        return complaints(self.log.read_text())


def complaints(text):
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    loud = [line for line in lines if line["level"] in ("WARN", "ERROR")]
    loud += [{"fields": line} for line in text.splitlines() if "panicked" in line]
    return [line for line in loud if not any(re.search(one, json.dumps(line)) for one in EXPECTED)]


@pytest.fixture
def demo(tmp_path):
    running = Demo(tmp_path / "shop")
    yield running
    if running.server.poll() is None:
        running.stop()


@contextlib.contextmanager
def browser(demo, email=None):
    """Somebody with cookies, signed in when an address is given."""
    with httpx.Client(base_url=demo.url, follow_redirects=True, timeout=60) as client:
        if email:
            told(client.post("/v1/sessions", json={"email": email, "password": PASSWORD}))
        yield client


def told(answer):
    assert answer.is_success, answer.text
    return answer.json()


def until(what, seconds=60):
    """Waits for something that happens by itself; the value it came to."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if value := what():
            return value
        time.sleep(0.5)
    pytest.fail(f"{what.__name__} didn't come")


def bought(demo):
    """The licenses of a guest's paid order."""
    with browser(demo) as guest:
        price = told(guest.get("/v1/products/lichen-darkroom"))["prices"][0]
        wanted = {
            "price_id": price["price_id"],
            "amount_minor": price["amount_minor"],
            "currency": price["currency"],
            "email": "guest@demo.example",
        }
        started = guest.post("/v1/checkouts", json=wanted)
        if started.status_code == 409:
            # The tax of where the guest is comes on top; what is shown then is what is paid.
            wanted["amount_minor"] = started.json()["quote"]["amount_minor"]
            started = guest.post("/v1/checkouts", json=wanted)
        started = told(started)
        assert guest.post(started["pay_url"], data={"choice": "succeed"}).is_success
        order = f"/v1/orders/{started['order_id']}?token={started['token']}"

        def paid():
            page = told(guest.get(order))
            return page["state"] == "paid" and page["licenses"]

        return until(paid)


def counted(demo, folder):
    """A device of its own activates, counts, and is answered."""
    with browser(demo, SELLER) as seller:
        trust = told(seller.get(f"/v1/products/{PRODUCT}/trust"))["trust"]
        once = {"Idempotency-Key": "one for the demo's test"}
        wanted = {"count": 1, "label": "A device"}
        made = told(seller.post(f"/v1/products/{PRODUCT}/licenses", json=wanted, headers=once))
    engine = mintreu.Engine(str(folder), trust=trust)
    engine.install(made["codes"][0]["code"])
    mintreu.sync(engine, demo.url)
    engine.meter(METER).record(321)
    mintreu.sync(engine, demo.url)
    return engine


def move(demo):
    """Presses the sandbox's button "a month", and waits until the clock is there."""
    before = now(demo)
    with browser(demo) as visitor:
        csrf = re.search(r'name="csrf" value="([^"]+)"', visitor.get("/sandbox").text)[1]
        assert visitor.post("/sandbox/clock", data={"csrf": csrf, "to": "month"}).is_success

        def moved():
            return 'name="to" value="month"' in visitor.get("/sandbox").text

        until(moved, 240)
    assert now(demo) - before >= MONTH


def now(demo):
    """The shop's clock in seconds, by what it dates a new session."""
    with browser(demo, BUYER) as buyer:
        sessions = told(buyer.get("/v1/sessions"))
        return max(session["created_at"] for session in sessions) / 1000


def test_nothing_breaks_that_no_page_shows(demo, tmp_path):
    assert len(bought(demo)) == 1
    engine = counted(demo, tmp_path / "device")
    move(demo)
    # The device's clock is the real one, a month behind the shop's: it still counts and is heard.
    engine.meter(METER).record(123)
    mintreu.sync(engine, demo.url)
    usage = {one.meter: one for one in engine.usage()}
    assert usage[METER].counted == usage[METER].acknowledged == 444
    with browser(demo, BUYER) as buyer:
        for page in ["/licenses", "/usage", "/subscriptions", "/invoices"]:
            assert buyer.get(page).status_code == 200, page
    demo.stop()
    assert demo.complaints() == []
    # Started again, it goes on where it was.
    again = Demo(demo.folder)
    with browser(again, BUYER) as buyer:
        assert told(buyer.get("/v1/licenses"))["licenses"]
    again.stop()
    assert again.complaints() == []


def test_a_complaint_is_heard():
    """The control: lines as the log writes them, and what a panic prints."""
    line = '{"timestamp":"t","level":"%s","fields":{"message":"m"},"target":"mintreu_server"}'
    told = "\n".join([line % "INFO", line % "WARN", line % "ERROR", "thread 'x' panicked at y"])
    assert len(complaints(told)) == 3
