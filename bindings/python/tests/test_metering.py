"""Events, batches, and counts that survive a power cut."""

from datetime import datetime, timezone
from decimal import Decimal

import pytest

import mintreu


def on_the_disk(folder, words):
    """Which of the words the journal holds."""
    journal = b"".join(file.read_bytes() for file in sorted(folder.glob("journal.db*")))
    return [word for word in words if word.encode() in journal]


def test_an_event_is_kept_once_by_its_id(tmp_path, forever):
    engine = mintreu.Engine.open(tmp_path, trust=forever["trust"])
    engine.record_events([mintreu.Event("job-81", "renders", "12.75", subject="told-first")])
    engine.record_events([
        mintreu.Event("job-81", "renders", "12.75", subject="told-again"),
        mintreu.Event("job-82", "renders", subject="another"),
    ])
    words = ["told-first", "told-again", "another"]
    assert on_the_disk(tmp_path, words) == ["told-first", "another"]


def test_a_handle_keeps_events_and_they_add_nothing_to_the_count(engine, tmp_path):
    jobs = engine.meter("jobs", subject="customer-7")
    jobs.event("job-1")
    jobs.event("job-2", Decimal("0.5"))
    jobs.event("job-2", 99)
    assert jobs.counted == 0
    assert on_the_disk(tmp_path / "license", ["job-1", "job-2", "job-3"]) == ["job-1", "job-2"]


def test_what_is_no_event_is_refused_and_nothing_of_its_batch_is_kept(engine, tmp_path):
    jobs = engine.meter("jobs")
    for id in ["", "x" * 65]:
        with pytest.raises(mintreu.MintreuError, match="event_id_invalid"):
            jobs.event(id)
    for value in ["1e3", "many", "99999999999999999999"]:
        with pytest.raises(mintreu.MintreuError, match="decimal_invalid"):
            mintreu.Event("job", "jobs", value)
    with pytest.raises(TypeError, match="float"):
        mintreu.Event("job", "jobs", 0.5)
    with pytest.raises(ValueError, match="time zone"):
        mintreu.Event("job", "jobs", at=datetime(2027, 1, 1))
    late = mintreu.Event("job-late", "jobs", at=datetime(2026, 1, 1, tzinfo=timezone.utc))
    with pytest.raises(TypeError):
        engine.record_events([late, "no event"])
    assert on_the_disk(tmp_path / "license", ["job-late"]) == []


def test_power_outlives_the_counter_file_and_process_does_not(tmp_path, forever):
    def opened():
        return mintreu.Engine.open(tmp_path, trust=forever["trust"])

    engine = opened()
    tokens = engine.meter("tokens", durability="power")
    calls = engine.meter("calls")
    assert (tokens.durability, calls.durability) == ("power", "process")
    tokens.record(40)
    tokens.record_batch([1, 1])
    engine.record_batch([(tokens, 3), (calls, 9)])
    assert (tokens.counted, calls.counted) == (45, 9)
    del engine, tokens, calls
    (tmp_path / "counters").unlink()
    engine = opened()
    assert engine.recovered == ["cell_behind"], "raised to what the journal has of it"
    assert engine.meter("tokens").counted == 45
    assert engine.meter("calls").counted == 0


def test_batches_and_durabilities_are_checked(engine):
    meter = engine.meter("calls")
    with pytest.raises(mintreu.MintreuError, match="durability_unknown"):
        engine.meter("calls", durability="volatile")
    with pytest.raises(OverflowError):
        meter.record_batch([1, -1])
    with pytest.raises(TypeError):
        engine.record_batch([("calls", 1)])
    assert meter.counted == 0, "nothing of a batch that isn't one"
    meter.record_batch([])
    engine.record_batch([(meter, 2), (meter, 3)])
    assert meter.counted == 5


def test_a_pace_of_ones_own(tmp_path, forever):
    pace = mintreu.Pace(flush=0, seal=0.5)
    engine = mintreu.Engine.open(tmp_path, trust=forever["trust"], pace=pace)
    engine.record("calls", 3)
    engine.flush()
    assert engine.seal_when_due() is False, "nothing is sealed before a seat is taken"
    for wrong in [-1.0, float("nan"), float("inf")]:
        with pytest.raises(ValueError, match="pace"):
            mintreu.Pace(flush=wrong)


def test_without_acknowledged_usage_there_is_no_checkpoint(engine):
    assert engine.checkpoints() == []
