import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Optional, Union, final

from typing_extensions import disjoint_base

__all__ = [
    "Answer",
    "Bill",
    "BillLine",
    "Burn",
    "Charge",
    "Credit",
    "Decision",
    "Engine",
    "Fingerprint",
    "Gateway",
    "License",
    "Meter",
    "Money",
    "Plan",
    "Quota",
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
    "trust_product",
    "verdict",
    "verify",
]

@final
class Verdict:
    """What a license comes to here and now; true when the product may run."""

    @property
    def code(self) -> str: ...
    @property
    def allowed(self) -> bool: ...
    @property
    def sentence(self) -> str: ...
    @property
    def changes_at(self) -> Optional[datetime]: ...
    def __bool__(self) -> bool: ...

@final
class Quota:
    """How much of a meter a license allows."""

    @property
    def limit(self) -> Optional[int]: ...
    @property
    def window(self) -> str: ...
    @property
    def per_device(self) -> bool: ...
    @property
    def overage(self) -> bool: ...

@final
class License:
    """A license whose signatures hold up to a pinned root."""

    @property
    def id(self) -> str: ...
    @property
    def product(self) -> str: ...
    @property
    def edition(self) -> Optional[str]: ...
    @property
    def customer(self) -> Optional[str]: ...
    @property
    def issued_at(self) -> datetime: ...
    @property
    def not_before(self) -> Optional[datetime]: ...
    @property
    def expires_at(self) -> Optional[datetime]: ...
    @property
    def updates_until(self) -> Optional[datetime]: ...
    @property
    def trial(self) -> bool: ...
    @property
    def seats(self) -> Optional[int]: ...
    @property
    def entitlements(self) -> dict[str, Union[bool, int, str]]: ...
    @property
    def quotas(self) -> dict[str, Quota]: ...
    @property
    def verdict(self) -> Verdict: ...

def verify(
    text: str,
    trust: str,
    now: Optional[datetime] = None,
    *,
    version: Optional[str] = None,
    released_at: Optional[datetime] = None,
) -> License:
    """Verifies a license in any of its text forms; ``verdict`` on it says whether it holds now."""

def verdict(
    text: str,
    trust: str,
    now: Optional[datetime] = None,
    *,
    version: Optional[str] = None,
    released_at: Optional[datetime] = None,
    device: Optional[str] = None,
    activation: Optional[str] = None,
    lease: Optional[str] = None,
    fingerprint: Optional[Fingerprint] = None,
    key_sets: Sequence[str] = ...,
    revocations: Sequence[str] = ...,
) -> Verdict:
    """The verdict on a license and a device's activation; never raises for what doesn't verify."""

def trust_product(trust: str) -> Optional[str]:
    """The product a trust is for: a check of the constant in a program's own tests."""

def redeem_code(typed: str) -> str:
    """A redeem code as it is stored: capitals, no dashes; raises ``code_mistyped`` for a typo."""

@final
class Fingerprint:
    """Keyed hashes of what tells a host apart: the values never leave it."""

    @property
    def kind(self) -> Optional[str]: ...
    @property
    def platform(self) -> Optional[str]: ...
    @property
    def components(self) -> list[str]: ...
    def __len__(self) -> int: ...

def fingerprint(product: str, components: dict[str, str]) -> Fingerprint:
    """The fingerprint of what the caller knows alone."""

def host_fingerprint(
    product: str, components: dict[str, str], variables: dict[str, str]
) -> Fingerprint:
    """The host's fingerprint, with what the caller knows of it."""

@final
class Decision:
    """The answer to "may I use so many units?": true when granted."""

    @property
    def granted(self) -> bool: ...
    @property
    def reason(self) -> Optional[str]: ...
    @property
    def remaining(self) -> Optional[int]: ...
    @property
    def resets_at(self) -> Optional[datetime]: ...
    @property
    def overage(self) -> int: ...
    @property
    def crossed(self) -> Optional[int]: ...
    def __bool__(self) -> bool: ...

@final
class Reservation:
    """Units taken from a quota and not yet counted; leaving its block gives them back."""

    def commit(self, used: int) -> None: ...
    def release(self) -> None: ...
    def __enter__(self) -> Reservation: ...
    def __exit__(
        self,
        *_raised: Union[type[BaseException], BaseException, TracebackType, None],
    ) -> None: ...

@final
class Meter:
    """One count of one meter. Safe to share between threads."""

    @property
    def counted(self) -> int: ...
    def record(self, n: int = 1) -> None: ...
    def consume(self, n: int = 1) -> Decision: ...
    def reserve(self, n: int) -> Reservation: ...

@final
class Usage:
    """What one count came to on this device."""

    @property
    def meter(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def dimensions(self) -> dict[str, str]: ...
    @property
    def counted(self) -> int: ...
    @property
    def sealed(self) -> int: ...
    @property
    def acknowledged(self) -> int: ...

@final
class Request:
    """What the host's own HTTP client is to send."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def body(self) -> bytes: ...

@disjoint_base
class Engine:
    def __new__(
        cls,
        path: Union[str, os.PathLike[str]],
        *,
        trust: str,
        version: Optional[str] = None,
        released_at: Optional[datetime] = None,
        fingerprint: Optional[Fingerprint] = None,
        host_id: Optional[str] = None,
        add_up: bool = False,
    ) -> Engine: ...
    @property
    def device(self) -> str: ...
    @property
    def device_key_protection(self) -> str: ...
    @property
    def recovered(self) -> list[str]: ...
    def install(self, text: str) -> str: ...
    def exchange(self, key: str) -> None: ...
    def verdict(self) -> Verdict: ...
    def check(self, feature: str) -> Union[bool, int, str]: ...
    def meter(
        self,
        name: str,
        *,
        subject: Optional[str] = None,
        dimensions: Optional[dict[str, str]] = None,
    ) -> Meter: ...
    def record(self, name: str, n: int = 1) -> None: ...
    def consume(self, name: str, n: int = 1) -> Decision: ...
    def reserve(self, name: str, n: int) -> Reservation: ...
    def flush(self) -> None: ...
    def usage(self) -> list[Usage]: ...
    def activation_request(self) -> str: ...
    def deactivate(self, license: Optional[str] = None) -> str: ...
    def activate(self, license: str) -> None: ...
    def borrow(self, seconds: int, license: Optional[str] = None) -> None: ...
    def seat_ends_at(self, license: str) -> Optional[datetime]: ...
    def time_request(self) -> str: ...
    def export_usage(self) -> bytes: ...
    def next_request(self) -> Optional[Request]: ...
    def on_response(self, status: int, body: bytes) -> None: ...

@final
class Charge:
    """One meter of a bill: its usage in all, transaction by transaction, or by dimensions.

    A quantity is exact: an ``int``, a ``Decimal`` or a decimal ``str``.
    """

    def __new__(
        cls,
        name: str,
        tariff: str,
        quantity: Union[int, Decimal, str, None] = None,
        *,
        transactions: Optional[int] = None,
        each: Optional[Sequence[Union[int, Decimal, str]]] = None,
        cells: Optional[Sequence[tuple[Mapping[str, str], Union[int, Decimal, str]]]] = None,
    ) -> Charge: ...

@final
class Credit:
    """Something paid before it is used: an amount of money, or units of a charge."""

    def __new__(
        cls,
        id: str,
        *,
        amount: Union[int, Decimal, str, None] = None,
        units: Union[int, Decimal, str, None] = None,
        charge: Optional[str] = None,
        priority: int = 0,
        expires_at: Optional[datetime] = None,
        created_at: Optional[datetime] = None,
    ) -> Credit: ...

@final
class Money:
    """An exact amount of money; ``str`` gives ``12.30 EUR``."""

    @property
    def minor(self) -> int: ...
    @property
    def currency(self) -> str: ...
    @property
    def amount(self) -> Decimal: ...
    @property
    def text(self) -> str: ...

@final
class BillLine:
    """One line of a bill; ``text`` is a sentence that a calculator can check."""

    @property
    def charge(self) -> Optional[str]: ...
    @property
    def kind(self) -> str: ...
    @property
    def quantity(self) -> Decimal: ...
    @property
    def unit(self) -> Optional[Decimal]: ...
    @property
    def amount(self) -> Money: ...
    @property
    def text(self) -> str: ...

@final
class Rated:
    """A priced quantity: the lines add up to the total exactly."""

    @property
    def total(self) -> Money: ...
    @property
    def lines(self) -> list[BillLine]: ...

@final
class Burn:
    """What a bill took of a credit: units of a charge, or money."""

    @property
    def credit(self) -> str: ...
    @property
    def charge(self) -> Optional[str]: ...
    @property
    def units(self) -> Optional[Decimal]: ...
    @property
    def amount(self) -> Optional[Money]: ...

@final
class Bill:
    """A priced period: the lines add up to the total exactly; ``cost`` is before credits."""

    @property
    def cost(self) -> Money: ...
    @property
    def total(self) -> Money: ...
    @property
    def lines(self) -> list[BillLine]: ...
    @property
    def burns(self) -> list[Burn]: ...

def price(tariff: str, quantity: Union[int, Decimal, str]) -> Rated:
    """Price a quantity, with the arithmetic that the server bills by."""

def bill(
    charges: Sequence[Charge],
    *,
    credits: Sequence[Credit] = ...,
    commitment: Union[int, Decimal, str, None] = None,
    share: Optional[tuple[int, int, int]] = None,
    at: Optional[datetime] = None,
) -> Bill:
    """Price a period: its charges, a commitment over all, and the credits that pay first."""

@final
class Plan:
    """What a customer on a plan may use of a gateway's meter."""

    def __new__(
        cls, *, limit: Optional[int] = None, window: str = "month", rate: Optional[str] = None
    ) -> Plan: ...

@final
class Answer:
    """What a request is told; true when it may go on."""

    @property
    def allowed(self) -> bool: ...
    @property
    def code(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def remaining(self) -> Optional[int]: ...
    @property
    def resets_at(self) -> Optional[datetime]: ...
    @property
    def headers(self) -> dict[str, str]: ...
    def __bool__(self) -> bool: ...

@final
class Gateway:
    """Decides about API keys in this process, and counts what it allows."""

    def __new__(
        cls, engine: Engine, meter: str, *, secret: bytes, plans: dict[str, Plan]
    ) -> Gateway: ...
    def subject(self, key: str) -> str: ...
    def allow(self, key: str, plan: str, n: int = 1) -> Answer: ...
