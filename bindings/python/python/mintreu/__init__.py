"""Offline licenses and metering that both sides can believe.

>>> engine = mintreu.Engine("license-folder", trust=TRUST)
>>> engine.install(pasted)
>>> @engine.requires("export-4k")
... def export(): ...
>>> calls = engine.meter("api.calls")
>>> calls.record()
>>> mintreu.sync(engine, "https://licenses.example.com")
"""

from ._engine import Engine
from ._errors import MintreuError
from ._host import host_fingerprint
from ._native import (
    Decision,
    Fingerprint,
    License,
    Meter,
    Quota,
    Request,
    Reservation,
    Usage,
    Verdict,
    fingerprint,
    redeem_code,
    trust_product,
    verdict,
    verify,
)
from ._sync import sync

__all__ = [
    "Decision",
    "Engine",
    "Fingerprint",
    "License",
    "Meter",
    "MintreuError",
    "Quota",
    "Request",
    "Reservation",
    "Usage",
    "Verdict",
    "fingerprint",
    "host_fingerprint",
    "redeem_code",
    "sync",
    "trust_product",
    "verdict",
    "verify",
]
