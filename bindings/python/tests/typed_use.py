"""Type-checked strictly, never run: what a caller's editor sees."""

from datetime import datetime
from decimal import Decimal
from typing import Optional, Union

import mintreu


def use(engine: mintreu.Engine, trust: str, text: str) -> None:
    license: mintreu.License = mintreu.verify(text, trust)
    expires: Optional[datetime] = license.expires_at
    granted: Union[bool, int, str] = engine.check("export-4k")
    meter: mintreu.Meter = engine.meter("api.calls", dimensions={"region": "eu"})
    decision: mintreu.Decision = meter.consume(2)
    with engine.reserve("tokens", 4000) as hold:
        hold.commit(10)
    sent: int = mintreu.sync(engine, "https://example.test", patience=5)
    status: Optional[mintreu.QuotaStatus] = engine.quota("renders")
    reached: list[tuple[str, int, Optional[int]]] = [
        (alert.meter, alert.percent, alert.status.remaining) for alert in engine.alerts()
    ]
    durable = engine.meter("tokens", durability="power")
    engine.record_batch([(durable, 3), (meter, 1)])
    engine.record_events([mintreu.Event("job-1", "jobs", Decimal("0.5"), subject="customer-7")])
    waits: float = mintreu.retry_after(None, 1)
    print(status, reached, waits, engine.reserve("tokens", 1, seconds=60).expires_at)

    @engine.requires("export-4k")
    def export(name: str) -> int:
        return len(name)

    length: int = export("a")
    known: mintreu.Fingerprint = mintreu.host_fingerprint("acme.editor", {"pod": "editor-0"})
    bound = mintreu.Engine.open("folder", trust=trust, fingerprint=known, host_id="editor-0")
    word: str = bound.install(text)
    until: Optional[datetime] = bound.seat_ends_at(license.id)
    print(word, until, bound.deactivate(license.id), bound.time_request())
    calls = mintreu.Charge("api.calls", "USD per_unit 0.10", Decimal("2.5"))
    gift = mintreu.Credit("gift", amount="1.00")
    asked: mintreu.Bill = mintreu.bill([calls], credits=[gift], commitment=5)
    owed: Decimal = asked.total.amount + mintreu.price("USD flat 1.00", 0).total.amount
    print(owed, [line.text for line in asked.lines], [burn.units for burn in asked.burns])
    kept: str = bound.device_key_protection
    print(kept, expires, granted, decision.remaining, sent, length)
