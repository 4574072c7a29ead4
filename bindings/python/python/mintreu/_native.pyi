import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Literal, Optional, Union, final

from typing_extensions import disjoint_base

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
class QuotaStatus:
    """How a meter's quota stands."""

    @property
    def meter(self) -> str: ...
    @property
    def window(self) -> str:
        """The stretch of time the limit is for: ``month``, ``rolling``, ``lifetime``, …"""
    @property
    def limit(self) -> Optional[int]:
        """Units a window; ``None`` where use is only counted."""
    @property
    def used(self) -> int:
        """Units used in this window beyond those that were carried over."""
    @property
    def remaining(self) -> Optional[int]:
        """Units left, prepaid ones included; ``None`` without a limit."""
    @property
    def overage(self) -> int:
        """Units used beyond the limit; they are charged."""
    @property
    def credits(self) -> int:
        """Prepaid units left."""
    @property
    def resets_at(self) -> Optional[datetime]:
        """When units come back; ``None`` when time alone brings none."""

@final
class Alert:
    """A quota's use has reached one of its alerts."""

    @property
    def meter(self) -> str: ...
    @property
    def percent(self) -> int:
        """The percentage of the limit that was reached."""
    @property
    def status(self) -> QuotaStatus: ...

@final
class Event:
    """One happening of a meter, for what no sum can tell; told from all others by its id.

    The id has 1 to 64 bytes: take one that comes again when the work is done again. The value is
    exact: an ``int``, a ``Decimal`` or a decimal ``str`` of at most 18 digits; one when absent.
    ``at`` is when it happened; when it is recorded, where absent.
    """

    def __new__(
        cls,
        id: str,
        meter: str,
        value: Union[int, Decimal, str, None] = None,
        *,
        subject: Optional[str] = None,
        dimensions: Optional[dict[str, str]] = None,
        at: Optional[datetime] = None,
    ) -> Event: ...

@final
class Reservation:
    """Units taken from a quota and not yet counted; leaving its block gives them back."""

    @property
    def units(self) -> int:
        """Units that are held."""
    @property
    def expires_at(self) -> datetime:
        """Until when they are held: then they go back, whatever became of this process."""
    def commit(self, used: int) -> None:
        """Counts the units that were used, all of them, and gives the rest back."""
    def release(self) -> None:
        """Gives everything back; harmless when it was committed or released before."""
    def __enter__(self) -> Reservation: ...
    def __exit__(
        self,
        *_raised: Union[type[BaseException], BaseException, TracebackType, None],
    ) -> None: ...

@final
class Meter:
    """One count of one meter. Safe to share between threads."""

    @property
    def counted(self) -> int:
        """Units this handle's cell has counted since the device's first day."""
    @property
    def durability(self) -> Literal["process", "power"]:
        """What counts through this handle survive."""
    def record(self, n: int = 1) -> None:
        """Counts units, whatever any quota says.

        With durability ``power`` it returns when they are on the disk; if it raises then, they are
        counted, and only a power cut can lose them.
        """
    def record_batch(self, units: Sequence[int]) -> None:
        """Counts many at once, with one wait for the disk where the durability asks for it."""
    def event(self, id: str, value: Union[int, Decimal, str, None] = None) -> None:
        """Keeps one event, once by its id: on the disk when this returns.

        It adds nothing to the count. See ``Event`` for ids and values; raises
        ``event_id_invalid``, ``decimal_invalid`` or ``events_full``.
        """
    def consume(self, n: int = 1) -> Decision: ...
    def reserve(self, n: int, *, seconds: Optional[int] = None) -> Reservation:
        """Takes units whose use is known only afterwards; raises with the reason where refused.

        They go back after ``seconds`` (3600 when absent), also when this process was killed.
        """

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
        pace: Optional[Pace] = None,
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
        durability: Literal["process", "power"] = "process",
    ) -> Meter:
        """A handle for counting, to be kept.

        Counts survive a killed process, and a power cut but for the last second. With durability
        ``power`` each call through the handle waits for the disk, and they survive that too.
        """
    def record(self, name: str, n: int = 1) -> None: ...
    def consume(self, name: str, n: int = 1) -> Decision: ...
    def reserve(self, name: str, n: int, *, seconds: Optional[int] = None) -> Reservation: ...
    def record_batch(self, units: Sequence[tuple[Meter, int]]) -> None:
        """Counts in many meters at once, with one wait for the disk where one has to be."""
    def record_events(self, events: Sequence[Event]) -> None:
        """Keeps events, each once by its id: on the disk when this returns, in one commit.

        ``events_full`` when too many wait to be acknowledged: sync first.
        """
    def quotas(self) -> list[QuotaStatus]:
        """How every quota of the licenses stands, in the order of the meters' names."""
    def quota(self, meter: str) -> Optional[QuotaStatus]:
        """How one meter's quota stands; ``None`` when the licenses set none."""
    def alerts(self) -> list[Alert]:
        """The alerts that use has reached, each once in its window.

        They are told here or in ``Decision.crossed``, whichever somebody sees first, in any thread
        or process.
        """
    def flush(self) -> None: ...
    def seal_when_due(self) -> bool:
        """Seals what was counted when ``Pace.seal`` has passed; whether it was.

        It happens by itself, unless ``Pace.flush`` is zero.
        """
    def usage(self) -> list[Usage]: ...
    def activation_request(self) -> str: ...
    def deactivate(self, license: Optional[str] = None) -> str: ...
    def activate(self, license: str) -> None: ...
    def borrow(self, seconds: int, license: Optional[str] = None) -> None: ...
    def seat_ends_at(self, license: str) -> Optional[datetime]: ...
    def time_request(self) -> str: ...
    def export_usage(self) -> bytes: ...
    def checkpoints(self) -> list[bytes]:
        """The signed checkpoints that stand for acknowledged segments not kept any more."""
    def next_request(self) -> Optional[Request]: ...
    def on_response(self, status: int, body: bytes) -> None: ...

@final
class Pace:
    """How often what happens by itself happens, in seconds.

    Counts reach the disk every ``flush`` (1; with zero you call ``Engine.flush`` and
    ``Engine.seal_when_due`` yourself), are sealed at least every ``seal`` (3600), and a sync says
    every ``heartbeat`` (86400) that there is nothing to say.
    """

    def __new__(
        cls,
        *,
        flush: Optional[float] = None,
        seal: Optional[float] = None,
        heartbeat: Optional[float] = None,
    ) -> Pace: ...

def retry_after(header: Optional[str], failures: int, draw: int) -> int:
    """How many milliseconds to wait; ``mintreu.retry_after`` draws the number for you."""

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
