"""How quotas stand, alerts, and reservations that outlive their process."""

import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest

import mintreu


@pytest.fixture
def warned(tmp_path, alerting):
    engine = mintreu.Engine.open(tmp_path / "warned", trust=alerting["trust"])
    engine.install(alerting["license"])
    return engine


def test_a_quota_says_how_it_stands(engine):
    assert engine.consume("renders", 120)
    (status,) = engine.quotas()
    assert (status.meter, status.window, status.limit) == ("renders", "month", 500)
    assert (status.used, status.remaining, status.overage, status.credits) == (120, 380, 0, 0)
    assert status.resets_at > datetime.now(timezone.utc)
    assert engine.quota("renders").used == 120
    assert engine.quota("api.calls") is None


def test_without_a_license_there_is_no_quota(tmp_path, forever):
    engine = mintreu.Engine.open(tmp_path, trust=forever["trust"])
    assert engine.quotas() == [] and engine.alerts() == []


def test_an_alert_is_told_once(warned):
    assert warned.consume("renders", 399).crossed is None
    assert warned.alerts() == []
    assert warned.consume("renders", 1).crossed == 80
    assert warned.alerts() == [], "it was told in the decision"
    hold = warned.reserve("renders", 100)
    (alert,) = warned.alerts()
    assert (alert.meter, alert.percent, alert.status.remaining) == ("renders", 100, 0)
    assert warned.alerts() == []
    hold.release()


def test_of_many_threads_one_is_told(warned):
    told = []

    def consume():
        for _ in range(50):
            decision = warned.consume("renders")
            if decision.crossed is not None:
                told.append(decision.crossed)

    threads = [threading.Thread(target=consume) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [80]
    assert warned.quota("renders").used == 450


def test_a_reservation_says_what_it_holds_and_until_when(engine):
    hold = engine.reserve("renders", 300, seconds=60)
    left = hold.expires_at - datetime.now(timezone.utc)
    assert timedelta(seconds=50) < left <= timedelta(seconds=60)
    assert hold.units == 300
    assert engine.quota("renders").remaining == 200
    with pytest.raises(mintreu.MintreuError, match="quota_spent"):
        engine.meter("renders").reserve(201, seconds=60)
    hold.commit(350)
    assert engine.meter("renders").counted == 350, "more than was held is counted all the same"
    assert engine.quota("renders").used == 350, "and taken from the quota"
    with pytest.raises(OverflowError):
        engine.reserve("renders", 1, seconds=-1)


HOLDER = """
import sys, time, mintreu
engine = mintreu.Engine.open(sys.argv[1], trust=sys.argv[2])
hold = engine.reserve("renders", 400, seconds=4)
print(hold.expires_at.timestamp(), flush=True)
time.sleep(600)
"""


def test_a_reservation_outlives_its_process_and_ends_by_itself(tmp_path, forever):
    folder = tmp_path / "license"
    engine = mintreu.Engine.open(folder, trust=forever["trust"])
    engine.install(forever["license"])
    command = [sys.executable, "-c", HOLDER, str(folder), forever["trust"]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        until = float(holder.stdout.readline())
        holder.kill()
    assert engine.quota("renders").remaining == 100
    refused = engine.consume("renders", 101)
    assert time.time() < until, "the machine was too slow for this test"
    assert not refused and refused.reason == "quota_spent"
    time.sleep(max(0.0, until - time.time()) + 0.1)
    assert engine.consume("renders", 500)
    assert not engine.consume("renders", 1)
