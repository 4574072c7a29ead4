"""The engine from Python: licenses, counts, reservations, threads, sync."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import mintreu


def test_a_license_opens_features(engine):
    assert engine.check("export-4k") is True
    assert engine.check("projects") == 50
    assert engine.check("region") == "eu"
    with pytest.raises(mintreu.MintreuError, match="not_entitled"):
        engine.check("teleport")
    assert engine.verdict().code == "valid"
    assert engine.recovered == []


def test_a_function_requires_its_feature(engine):
    @engine.requires("export-4k")
    def export(name: str) -> str:
        """Exports."""
        return f"exported {name}"

    @engine.requires("teleport")
    def teleport() -> None:
        raise AssertionError("must not run")

    assert export("a") == "exported a"
    assert (export.__name__, export.__doc__) == ("export", "Exports.")
    with pytest.raises(mintreu.MintreuError, match="not_entitled"):
        teleport()


def test_without_a_license_nothing_is_allowed(tmp_path, forever):
    engine = mintreu.Engine.open(tmp_path, trust=forever["trust"])
    with pytest.raises(mintreu.MintreuError, match="not_licensed"):
        engine.check("export-4k")
    assert not engine.consume("renders")


def test_a_code_asks_for_its_activation_offline(tmp_path, forever):
    engine = mintreu.Engine.open(tmp_path, trust=forever["trust"])
    with pytest.raises(mintreu.MintreuError, match="nothing_to_activate"):
        engine.activation_request()
    engine.install("ACMHG-G20XB-B91JV-M18AA")
    asked = engine.activation_request()
    assert asked.startswith("MT1-")
    assert asked == engine.activation_request()


def test_a_sellers_own_key_asks_too_and_a_mistyped_code_does_not(tmp_path, forever):
    engine = mintreu.Engine.open(tmp_path, trust=forever["trust"])
    engine.exchange(" OLD-KEY-of-another-shop ")
    assert engine.activation_request().startswith("MT1-")
    with pytest.raises(mintreu.MintreuError, match="seller_key_malformed"):
        engine.exchange("short")
    with pytest.raises(mintreu.MintreuError, match="code_mistyped"):
        engine.install("ACMHG-G20XB-B91JV-M18AB")


def test_a_seat_is_given_back_and_asked_for_again(engine, forever):
    license = mintreu.verify(forever["license"], forever["trust"]).id
    with pytest.raises(mintreu.MintreuError, match="nothing_activated"):
        engine.deactivate()
    with pytest.raises(mintreu.MintreuError, match="nothing_activated"):
        engine.borrow(86_400)
    assert engine.seat_ends_at(license) is None
    engine.activate(license)
    assert engine.activation_request().startswith("MT1-")
    with pytest.raises(mintreu.MintreuError, match="not_licensed"):
        engine.activate("lic_00000000000000000000000001")


def test_what_was_installed_is_said_in_a_word(engine, forever):
    assert engine.install(forever["license"]) == "license"
    assert engine.install("ACMHG-G20XB-B91JV-M18AA") == "code"


def test_a_question_for_the_time_is_a_text(engine):
    asked = engine.time_request()
    assert asked.startswith("MT1-")
    assert asked == engine.time_request()
    with pytest.raises(mintreu.MintreuError, match="wrong_kind"):
        engine.install(asked)


@pytest.mark.parametrize("given", ["key_sets", "revocations"])
def test_key_sets_and_lists_are_part_of_a_verdict(forever, given):
    judged = [forever["license"], forever["trust"]]
    assert mintreu.verdict(*judged, **{given: []}).code == "valid"
    assert mintreu.verdict(*judged, **{given: ["no document"]}).code == "malformed"
    assert mintreu.verdict(*judged, **{given: [forever["license"]]}).code == "wrong_kind"


def test_a_quota_ends(engine):
    decision = engine.consume("renders", 499)
    assert decision and decision.remaining == 1 and decision.resets_at is not None
    assert engine.consume("renders")
    refused = engine.consume("renders")
    assert not refused and refused.reason == "quota_spent"


def test_a_reservation_gives_back_what_was_not_used(engine):
    with engine.reserve("renders", 400) as hold:
        hold.commit(100)
    with pytest.raises(RuntimeError), engine.reserve("renders", 300):
        raise RuntimeError("the work failed")
    assert engine.consume("renders", 400)
    with pytest.raises(mintreu.MintreuError, match="quota_spent"):
        engine.reserve("renders", 1)
    with pytest.raises(mintreu.MintreuError, match="reservation_over"):
        hold.commit(1)


def test_threads_count_exactly(engine):
    meter = engine.meter("api.calls", subject="customer-7", dimensions={"region": "eu"})
    threads = [
        threading.Thread(target=lambda: [meter.record() for _ in range(5000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (usage,) = [usage for usage in engine.usage() if usage.meter == "api.calls"]
    assert (usage.subject, usage.dimensions) == ("customer-7", {"region": "eu"})
    assert usage.counted == meter.counted == 20_000


def test_counts_survive_the_process(tmp_path, forever):
    engine = mintreu.Engine.open(tmp_path, trust=forever["trust"])
    engine.record("api.calls", 42)
    del engine
    assert mintreu.Engine.open(tmp_path, trust=forever["trust"]).meter("api.calls").counted == 42


def test_units_are_checked(engine):
    with pytest.raises(OverflowError):
        engine.record("api.calls", -1)
    with pytest.raises(TypeError):
        engine.record("api.calls", "many")
    assert engine.meter("api.calls").counted == 0


def test_instants_need_a_time_zone(forever):
    from datetime import datetime

    with pytest.raises(ValueError, match="time zone"):
        mintreu.verify(forever["license"], forever["trust"], datetime(2027, 1, 1))


def test_a_server_that_is_down_loses_nothing(engine):
    class Down(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(503)
            self.end_headers()

        def log_message(self, *_):
            pass

    engine.record("api.calls", 3)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Down)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        if engine.next_request() is not None:
            with pytest.raises(mintreu.MintreuError, match="server_unavailable"):
                mintreu.sync(engine, f"http://127.0.0.1:{server.server_port}", patience=0)
    finally:
        server.shutdown()
    assert engine.meter("api.calls").counted == 3
