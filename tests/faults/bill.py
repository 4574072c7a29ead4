"""What the other side would bill: each event once by the client's own key, where it has one."""

import collections
import gzip
import json
import threading
import urllib.error
import urllib.parse
import urllib.request

JSON = "application/json"


class Bill:
    """Reads the wire formats of today's clients and counts how often each unit was billed."""

    def __init__(self):
        self.times = collections.Counter()
        self._keys = set()
        self._lock = threading.Lock()

    def deliver(self, path, headers, body):
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        events, answer = read(urllib.parse.urlsplit(path).path, body)
        with self._lock:
            for key, unit in events:
                if key is None or key not in self._keys:
                    self._keys.add(key)
                    self.times[int(unit)] += 1
        return answer

    def judge(self, counted):
        """Units of the first `counted` that were never billed, and billings above one each."""
        lost = sum(1 for unit in range(counted) if not self.times[unit])
        return lost, sum(times - 1 for times in self.times.values() if times > 1)


def read(path, body):
    """The events of a request as (key, unit), and the answer that the real service would give."""
    if path == "/v1/billing/meter_events":
        form = dict(urllib.parse.parse_qsl(body.decode()))
        made = {"object": "billing.meter_event", "identifier": form["identifier"], "livemode": False}
        return [(form["identifier"], form["payload[unit]"])], (200, JSON, json.dumps(made).encode())
    said = json.loads(body)
    if path == "/v2/keys.verifyKey":
        verdict = {"meta": {"requestId": "req_1"}, "data": {"valid": True, "code": "VALID"}}
        unit = said["tags"][0].removeprefix("unit=")
        return [(None, unit)], (200, JSON, json.dumps(verdict).encode())
    if path == "/ingest/":
        events = [(event["uniqueId"], event["dimensions"]["unit"]) for event in said]
        return events, (200, JSON, b'{"ok":true}')
    if path == "/units":
        return [(None, unit) for unit in said], (200, JSON, b'{"ok":true}')
    if path == "/api/v1/events" and "event" in said:
        return lago(said["event"])
    if path == "/api/v1/events":
        events = said if isinstance(said, list) else [said]
        return [((e["source"], e["id"]), e["data"]["unit"]) for e in events], (204, JSON, b"")
    raise ValueError(f"no client asks for {path}")


def lago(event):
    key = (event["external_subscription_id"], event["transaction_id"])
    made = {
        **{name: event[name] for name in ("transaction_id", "external_subscription_id", "code")},
        "lago_id": "1a901a90-1a90-1a90-1a90-1a901a901a90",
        "lago_customer_id": None, "lago_subscription_id": None,
        "timestamp": "2026-01-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z",
        "properties": event["properties"], "precise_total_amount_cents": None,
    }  # fmt: skip
    answer = json.dumps({"event": made}).encode()
    return [(key, event["properties"]["unit"])], (200, JSON, answer)


def forward(url):
    """Hands what arrives to a real server, and its answer back."""

    def deliver(path, headers, body):
        call = urllib.request.Request(
            url + path, data=body, method="POST", headers={"content-type": headers["content-type"]}
        )
        try:
            with urllib.request.urlopen(call, timeout=30) as answer:
                return answer.status, answer.headers.get("content-type", JSON), answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.headers.get("content-type", JSON), refused.read()

    return deliver
