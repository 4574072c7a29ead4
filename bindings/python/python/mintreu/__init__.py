"""Offline licenses and metering that both sides can believe.

>>> engine = mintreu.Engine("license-folder", trust=TRUST)
>>> engine.install(pasted)
>>> @engine.requires("export-4k")
... def export(): ...
>>> calls = engine.meter("api.calls")
>>> calls.record()
>>> mintreu.sync(engine, "https://licenses.example.com")
"""

from . import asgi
from ._engine import Engine
from ._errors import MintreuError
from ._host import host_fingerprint
from ._native import (
    Alert,
    Answer,
    Bill,
    BillLine,
    Burn,
    Charge,
    Credit,
    Decision,
    Event,
    Fingerprint,
    Gateway,
    License,
    Meter,
    Money,
    Pace,
    Plan,
    Quota,
    QuotaStatus,
    Rated,
    Request,
    Reservation,
    Usage,
    Verdict,
    bill,
    fingerprint,
    price,
    redeem_code,
    trust_product,
    verdict,
    verify,
)
from ._sync import retry_after, sync

__all__ = [
    "Alert",
    "Answer",
    "Bill",
    "BillLine",
    "Burn",
    "Charge",
    "Credit",
    "Decision",
    "Engine",
    "Event",
    "Fingerprint",
    "Gateway",
    "License",
    "Meter",
    "MintreuError",
    "Money",
    "Pace",
    "Plan",
    "Quota",
    "QuotaStatus",
    "Rated",
    "Request",
    "Reservation",
    "Usage",
    "Verdict",
    "bill",
    "fingerprint",
    "host_fingerprint",
    "price",
    "redeem_code",
    "retry_after",
    "sync",
    "trust_product",
    "verdict",
    "verify",
]
