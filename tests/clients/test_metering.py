"""OpenMeter's and Lago's own clients, unmodified, against our server."""

import datetime
import json
import os
import subprocess

import httpx
import pytest
from lago_python_client.client import Client as Lago
from lago_python_client.exceptions import LagoApiError
from lago_python_client.models import (
    BatchEvent,
    BillableMetric,
    Charge,
    Charges,
    Customer,
    Event,
    Plan,
    Subscription,
)
from openmeter import Client as OpenMeter



@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A demo server, and the token of a seller of its own."""
    folder = tmp_path_factory.mktemp("metering")
    listen = ["--folder", str(folder / "shop"), "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(
        [os.environ["MINTREU_BIN"], "--json", "demo", *listen], stdout=subprocess.PIPE, text=True
    )
    url = json.loads(server.stdout.readline())["url"].rstrip("/")
    try:
        with httpx.Client(base_url=url) as browser:
            person = {"email": "eve@meters.example", "name": "Eve", "password": "quiet herons at dusk"}
            assert browser.post("/v1/accounts", json=person).is_success
            assert browser.post("/v1/sessions", json=person).is_success
            assert browser.post("/v1/me/developer").is_success
            made = browser.post("/v1/tokens", json={"name": "clients"}).json()
        yield {"url": url, "token": made["token"]}
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def openmeter(shop):
    with OpenMeter(endpoint=shop["url"], token=shop["token"]) as client:
        yield client


@pytest.fixture
def raw(shop):
    headers = {"authorization": f"Bearer {shop['token']}"}
    with httpx.Client(base_url=shop["url"], headers=headers) as client:
        yield client


def event(key, data, time="2025-01-10T12:00:30Z", **more):
    return {"id": key, "source": "python", "specversion": "1.0", "type": "prompt",
            "subject": "customer-1", "time": time, "data": data, **more}


def test_a_meter_is_made_asked_and_ended(openmeter, raw):
    made = raw.post("/api/v1/meters", json={
        "slug": "tokens_total", "aggregation": "SUM", "eventType": "prompt",
        "valueProperty": "$.tokens", "groupBy": {"model": "$.model"}})
    assert made.status_code == 201, made.text
    assert len(made.json()["id"]) == 26
    openmeter.events.ingest_event(event("1", {"tokens": 5, "model": "gpt-4"}))
    openmeter.events.ingest_events([
        event("2", {"tokens": "7", "model": "gpt-3"}),
        event("3", {"tokens": 2**53 - 1, "model": "gpt-3"}, subject="customer-2"),
    ])
    openmeter.events.ingest_events_json([event("4", {"tokens": 1})])
    meters = list(openmeter.meters.list())
    assert [meter["slug"] for meter in meters] == ["tokens_total"]
    whole = openmeter.meters.query_json(meter_id_or_slug="tokens_total")
    assert [row["value"] for row in whole["data"]] == [12 + 2**53]
    start = datetime.datetime(2025, 1, 10, tzinfo=datetime.timezone.utc)
    days = openmeter.meters.query_json(
        meter_id_or_slug=made.json()["id"], subject=["customer-1"], window_size="DAY",
        group_by=["model"], from_parameter=start)
    rows = [(row["subject"], row["groupBy"]["model"], row["value"]) for row in days["data"]]
    assert sorted(rows) == [("customer-1", "", 1), ("customer-1", "gpt-3", 7), ("customer-1", "gpt-4", 5)]
    assert days["data"][0]["windowEnd"].startswith("2025-01-11T00:00:00")
    assert raw.get("/api/v1/meters/tokens_total/subjects").json() == ["customer-1", "customer-2"]
    assert raw.get("/api/v1/meters/tokens_total/group-by/model/values").json() == ["", "gpt-3", "gpt-4"]
    filtered = raw.get("/api/v1/meters/tokens_total/query?filterGroupBy[model]=gpt-4")
    assert filtered.json()["data"][0]["value"] == 5
    posted = raw.post("/api/v1/meters/tokens_total/query", json={"windowSize": "HOUR", "subject": ["customer-2"]})
    assert posted.json()["data"][0]["value"] == 2**53 - 1
    assert raw.delete("/api/v1/meters/tokens_total").status_code == 204
    assert raw.get("/api/v1/meters/tokens_total").status_code == 404


def test_a_thousand_of_one_key_are_one(openmeter, raw):
    raw.post("/api/v1/meters", json={"slug": "dedupe", "aggregation": "COUNT", "eventType": "prompt"})
    for batch in range(10):
        openmeter.events.ingest_events([
            event("same", {"ms": "100"}, f"2025-01-09T{n // 60:02}:{n % 60:02}:00Z")
            for n in range(batch * 100, batch * 100 + 100)
        ])
    openmeter.events.ingest_events([event(f"other {n}", {"ms": "100"}) for n in range(100)])
    assert openmeter.meters.query_json(meter_id_or_slug="dedupe")["data"][0]["value"] == 101


@pytest.mark.parametrize("change", [
    {"datacontenttype": "application/xml"}, {"data": "text"}, {"data": 5}, {"id": ""},
    {"subject": None}, {"type": ""}, {"source": ""}, {"time": "yesterday"},
])
def test_what_is_no_event_is_refused_with_a_problem(raw, change):
    body = {**event("wrong", {}), **change}
    answer = raw.post("/api/v1/events", json=body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= set(answer.json())
    assert raw.get("/api/v1/events", params={"id": "wrong"}).json() == []


def test_content_types_say_what_the_body_is(raw):
    def send(kind, body):
        return raw.post("/api/v1/events", content=json.dumps(body), headers={"content-type": kind}).status_code
    one = event("kinds", {})
    assert send("application/cloudevents+json", one) == 204
    assert send("application/cloudevents-batch+json", [one]) == 204
    assert send("application/json", one) == 204
    assert send("application/json", [one]) == 204
    assert send("application/cloudevents+json", [one]) == 400
    assert send("application/cloudevents-batch+json", one) == 400
    assert send("text/plain", one) == 400


def test_what_a_meter_cannot_count_is_stored_and_says_why(raw):
    raw.post("/api/v1/meters", json={
        "slug": "durations", "aggregation": "SUM", "eventType": "odd", "valueProperty": "$.ms"})
    for key, data in [("nan", {"ms": "NaN"}), ("inf", {"ms": "Infinity"}), ("empty", {}), ("null", None)]:
        assert raw.post("/api/v1/events", json=event(key, data, type="odd")).status_code == 204
        (listed,) = raw.get("/api/v1/events", params={"id": key}).json()
        assert "invalid event" in listed["validationError"]
    assert raw.post("/api/v1/events", json=event("good", {"ms": 2.5}, type="odd")).status_code == 204
    data = raw.get("/api/v1/meters/durations/query").json()["data"]
    assert [row["value"] for row in data] == [2.5]


def test_days_follow_the_clock_on_the_wall(openmeter, raw):
    raw.post("/api/v1/meters", json={"slug": "hours", "aggregation": "COUNT", "eventType": "tick"})
    start = datetime.datetime(2025, 11, 1, 4, tzinfo=datetime.timezone.utc)
    hours = [start + datetime.timedelta(hours=n) for n in range(73)]
    openmeter.events.ingest_events([event(f"tick {at}", {}, at.isoformat(), type="tick") for at in hours])
    days = openmeter.meters.query_json(
        meter_id_or_slug="hours", window_size="DAY", window_time_zone="America/New_York")
    assert [row["value"] for row in days["data"]] == [24, 25, 24]


def test_who_asks_and_for_what(shop, raw):
    assert raw.get("/api/v1/meters/none/query").status_code == 404
    raw.post("/api/v1/meters", json={"slug": "plain", "aggregation": "COUNT", "eventType": "x"})
    assert raw.get("/api/v1/meters/plain/query?groupBy=model").status_code == 400
    wrong = httpx.get(shop["url"] + "/api/v1/meters", headers={"authorization": "Bearer mtsk_wrong"})
    assert wrong.status_code == 401
    csv = raw.get("/api/v1/meters/plain/query", headers={"accept": "text/csv"})
    assert csv.text.startswith("window_start,window_end,subject")


@pytest.fixture
def lago(shop):
    return Lago(api_key=shop["token"], api_url=shop["url"] + "/lago/")


def lago_event(key, count):
    return Event(transaction_id=key, external_subscription_id="sub_1", code="api_calls",
                 properties={"n": count})


def test_lago_counts_and_prices_a_subscription(lago):
    metric = lago.billable_metrics.create(BillableMetric(
        name="API calls", code="api_calls", aggregation_type="sum_agg", field_name="n"))
    lago.customers.create(Customer(external_id="cus_1", name="Ada"))
    charge = Charge(billable_metric_id=metric.lago_id, charge_model="standard",
                    properties={"amount": "0.05"})
    lago.plans.create(Plan(name="Pro", code="pro", interval="monthly", amount_cents=0,
                           amount_currency="EUR", pay_in_advance=False,
                           charges=Charges(__root__=[charge])))
    lago.subscriptions.create(Subscription(
        external_customer_id="cus_1", plan_code="pro", external_id="sub_1"))
    first = lago.events.create(lago_event("tx 1", 5))
    assert first.transaction_id == "tx 1" and first.properties == {"n": 5}
    lago.events.batch_create(BatchEvent(events=[lago_event("tx 2", 7), lago_event("tx 3", "0.5")]))
    # Sent again, it is a success and counts nothing.
    lago.events.create(lago_event("tx 1", 5))
    assert lago.events.find("tx 2").code == "api_calls"
    usage = lago.customers.current_usage("cus_1", "sub_1")
    (line,) = usage.charges_usage
    assert (line.units, line.events_count, line.amount_cents) == ("12.5", 3, 62)
    assert line.billable_metric.code == "api_calls"
    # Another event of the same transaction is refused, and the rest of its batch is stored.
    with pytest.raises(LagoApiError) as refused:
        lago.events.batch_create(BatchEvent(events=[lago_event("tx 1", 6), lago_event("tx 4", 1)]))
    assert refused.value.status_code == 422
    assert refused.value.response["error_details"] == {"0": {"transaction_id": ["value_already_exist"]}}
    assert lago.customers.current_usage("cus_1", "sub_1").charges_usage[0].units == "13.5"
    with pytest.raises(LagoApiError) as missing:
        lago.events.find("none")
    assert missing.value.response["code"] == "event_not_found"
    with pytest.raises(LagoApiError) as unsigned:
        Lago(api_key="mtsk_wrong", api_url=lago.api_url).events.find("tx 1")
    assert unsigned.value.status_code == 401
