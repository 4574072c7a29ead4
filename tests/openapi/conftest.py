"""A demo shop of its own, somebody signed in for each role, and the names that its lists show."""

import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request

import pytest

PASSWORD = "look around freely"
PEOPLE = {
    "owner": "ines@mintreu.example",
    "seller": "mara@lichen.example",
    "service": "tomasz@northbeam.example",
    "buyer": "priya@customer.example",
}
# An id is text with a prefix that says what it names.
ID = re.compile(r"\b([a-z]{3})_[0-9a-z]{26}\b")


# What the service's program counts, beside what its lists name: see `furnish`.
METERED = {
    "customer": ["northbeam-1"],
    "property": ["model", "subject"],
    "spare": ["spare"],
    "subject": ["plan-a", "plan-b"],
    "transaction": ["event-1", "event-2"],
}


class Shop:
    """A demo that runs, and who is signed in there."""

    def __init__(self, url):
        self.url = url
        self.tokens = {"guest": None}
        for role, email in PEOPLE.items():
            wanted = {"email": email, "password": PASSWORD}
            _, session = self.ask("POST", "/v1/sessions", body=wanted)
            self.tokens[role] = session["token"]
        # A seller's program comes with a token of its own, which is no session.
        _, made = self.ask("POST", "/v1/tokens", self.tokens["service"], {"name": "tests"})
        self.tokens["service"] = made["token"]

    def ask(self, method, path, token=None, body=None):
        """The status and JSON of an answer; an empty dictionary when there is none."""
        headers = {"content-type": "application/json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            status, text = refused.code, refused.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, {}

    def description(self):
        return self.ask("GET", "/openapi.json")[1]

    def lists(self):
        """Every address that can be asked for without knowing a name."""
        for path, methods in self.description()["paths"].items():
            asked = methods.get("get", {}).get("parameters", [])
            if "get" in methods and not any(one.get("required") for one in asked):
                yield path

    def known(self, role):
        """What this role's own lists name: ids by their prefix, slugs, and meters."""
        found = {}
        for path in self.lists():
            _, answer = self.ask("GET", path, self.tokens[role])
            text = json.dumps(answer)
            for match in ID.finditer(text):
                found.setdefault(match[1], set()).add(match[0])
            for slug in re.findall(r'"slug": "([\w-]+)"', text):
                what = "meter" if "/meters" in path else "slug"
                found.setdefault(what, set()).add(slug)
        if role == "service":
            for what, names in METERED.items():
                found.setdefault(what, set()).update(names)
        return {what: sorted(names)[:40] for what, names in found.items()}


def furnish(shop):
    """Gives the service meters that counted something, so that there is what to ask for."""
    token = shop.tokens["service"]

    def ask(path, body):
        status, answer = shop.ask("POST", path, token, body)
        assert status < 300, f"{path}: {status} {answer}"
        return answer

    aggregations = {"tokens": "SUM", "users": "UNIQUE_COUNT", "slow": "PERCENTILE"}
    for slug, aggregation in aggregations.items():
        draft = {"slug": slug, "eventType": "prompt", "aggregation": aggregation}
        ask("/v1/meters", draft | {"valueProperty": "$.n", "groupBy": {"model": "$.model"}})
    ask("/v1/meters", {"slug": METERED["spare"][0], "eventType": "spare", "aggregation": "COUNT"})
    event = {"source": "tests", "specversion": "1.0", "type": "prompt"}
    data = [{"n": 7, "model": "small"}, {"n": "2.5", "model": "large"}, {"n": "many"}]
    subjects = METERED["subject"]
    events = [
        event | {"id": str(at), "subject": subjects[at % 2], "data": one}
        for at, one in enumerate(data)
    ]
    ask("/v1/events", {"events": events})
    # The same in Lago's manner, whose customer has a plan and two subscriptions.
    lago = "/lago/api/v1"
    customer = METERED["customer"][0]
    code = {"code": "calls", "name": "Calls", "aggregation_type": "count_agg"}
    metric = ask(f"{lago}/billable_metrics", {"billable_metric": code})["billable_metric"]
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard"}
    charge["properties"] = {"amount": "0.25"}
    plan = {"code": "basic", "amount_currency": "EUR", "charges": [charge]}
    ask(f"{lago}/plans", {"plan": plan})
    ask(f"{lago}/customers", {"customer": {"external_id": customer}})
    for subject, transaction in zip(subjects, METERED["transaction"], strict=True):
        wish = {"external_id": subject, "plan_code": "basic", "external_customer_id": customer}
        ask(f"{lago}/subscriptions", {"subscription": wish})
        sent = {"transaction_id": transaction, "external_subscription_id": subject, "code": "calls"}
        ask(f"{lago}/events", {"event": sent})


def quiet(shop):
    """Waits until the demo's people have bought and counted what they do at the start."""
    before = None
    for _ in range(60):
        _, now = shop.ask("GET", "/v1/licenses", shop.tokens["buyer"])
        _, sold = shop.ask("GET", "/v1/meters", shop.tokens["service"])
        if before == (now, sold) and sold:
            return
        before = (now, sold)
        time.sleep(2)
    pytest.fail("the demo doesn't come to rest")


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("openapi")
    command = [os.environ["MINTREU_BIN"], "--json", "demo", "--listen", "127.0.0.1:0"]
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(
            [*command, "--folder", str(folder / "shop")],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            started = Shop(json.loads(server.stdout.readline())["url"])
            quiet(started)
            furnish(started)
            yield started
        finally:
            server.terminate()
            server.wait(30)
