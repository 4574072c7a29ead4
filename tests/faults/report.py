"""Reports units of usage with one client, the way its README says.

    report.py CLIENT URL FOLDER UNITS (end|exit|paced)

Writes "s" before each unit, "a" after one whose call returned and "e" after one whose call raised.
`end` takes the step that the README has for a program's end; `exit` leaves it out; `paced` is `end`
and waits for a byte on its standard input before each unit, so that it is known when it dies. No client gets
retries that its README doesn't have.
"""

import contextlib
import datetime
import json
import os
import sys
import time
import urllib.request
import uuid


def nothing(*_):
    pass


def openmeter(url, _folder):
    from openmeter import Client
    from openmeter.models import Event

    client = Client(endpoint=url, token="token")

    def report(unit):
        event = Event(
            id=str(uuid.uuid4()), source="my-app", specversion="1.0", type="call",
            subject="customer-1", time=datetime.datetime.now(datetime.timezone.utc),
            data={"unit": unit},
        )  # fmt: skip
        client.events.ingest_event(event)

    return report, nothing


def lago(url, _folder):
    from lago_python_client.client import Client
    from lago_python_client.models import Event

    client = Client(api_key="key", api_url=url)

    def report(unit):
        event = Event(
            transaction_id=str(uuid.uuid4()), external_subscription_id="subscription-1",
            code="calls", timestamp=int(time.time()), precise_total_amount_cents=None,
            properties={"unit": unit},
        )  # fmt: skip
        client.events.create(event)

    return report, nothing


def stripe(url, _folder):
    from stripe import StripeClient

    client = StripeClient("sk_test_1", base_addresses={"api": url})

    def report(unit):
        payload = {"stripe_customer_id": "cus_1", "value": "1", "unit": str(unit)}
        params = {"event_name": "calls", "identifier": str(uuid.uuid4()), "payload": payload}
        client.v1.billing.meter_events.create(params=params)

    return report, nothing


def amberflo(url, _folder):
    from metering.ingest import create_ingest_client
    from metering.session.ingest_session import IngestSession

    IngestSession.root_url = url
    # The values of the README's complete example, which it calls the defaults.
    client = create_ingest_client(
        api_key="key", max_queue_size=100000, threads=2, retries=2, batch_size=100,
        send_interval_in_secs=0.5, sleep_interval_in_secs=0.1,
    )  # fmt: skip

    def report(unit):
        client.meter(
            meter_api_name="calls", meter_value=1, meter_time_in_millis=int(time.time() * 1000),
            customer_id="customer-1", dimensions={"unit": str(unit)},
        )  # fmt: skip

    return report, client.flush


def control(url, _folder):
    """What one writes in ten lines: a list in memory, one more try, no key."""
    queue = []

    def send():
        body = json.dumps(queue).encode()
        queue.clear()
        for _ in range(2):
            with contextlib.suppress(OSError):
                return urllib.request.urlopen(url + "/units", body, timeout=30).close()

    def report(unit):
        queue.append(unit)
        if len(queue) == 5:
            send()

    return report, send


def mintreu(url, folder):
    import mintreu

    engine = mintreu.Engine.open(folder, trust=os.environ["FAULTS_TRUST"])
    if code := os.environ.get("FAULTS_CODE"):
        engine.install(code)
    calls = engine.meter("characters", subject=os.path.basename(folder))

    def sync():
        # "Call again later, nothing is lost": later is the next round, or the next start.
        with contextlib.suppress(mintreu.MintreuError):
            mintreu.sync(engine, url, patience=0)

    def report(unit):
        calls.record()
        if unit % 3 == 2 and sys.argv[5] != "exit":
            sync()

    return report, sync


CLIENTS = {f.__name__: f for f in (openmeter, lago, stripe, amberflo, control, mintreu)}


def main():
    client, url, folder, units, ending = sys.argv[1:6]
    report, end = CLIENTS[client](url, folder)
    for unit in range(int(units)):
        if ending == "paced":
            os.read(0, 1)
        os.write(1, b"s")
        try:
            report(unit)
        except Exception as error:
            print(repr(error), file=sys.stderr)
            os.write(1, b"e")
        else:
            os.write(1, b"a")
    if ending != "exit":
        end()


main()
