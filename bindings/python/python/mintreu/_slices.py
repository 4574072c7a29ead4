"""Slices of quotas: units that this process holds of a key's quota, and spends without asking.

The rule is ``mintreu::gateway::Slice``'s. A slice lives in memory: a process that is killed leaves
what it held deducted until the window ends, so that all together never use too much.
"""

import math
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Optional, Union

_PAUSE = 1.0
_SHORT = 10.0
_MAX_SLICE = 1_000_000
_MAX_KEYS = 10_000
_PERIODS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}

Send = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]


@dataclass
class Granted:
    """A request that this process decided about."""

    told: dict[str, Any]
    remaining: Optional[int]
    refused_by: Optional[str] = None
    headers: dict[str, str] = field(default_factory=dict)


class Rate:
    """``100/minute`` or ``100/minute+20``: GCRA, in this process's memory."""

    def __init__(self, text: str) -> None:
        units, _, rest = text.partition("/")
        per, _, burst = rest.partition("+")
        known = _PERIODS.get(per.strip())
        period = known if known else float(per.strip().removesuffix("ms")) / 1000
        self.units, self.period = int(units), period
        self.burst = int(burst) if burst else self.units
        self._interval = period / self.units
        self._full_at = 0.0

    def wait(self, now: float) -> float:
        """Seconds until one more is allowed; 0 when it is."""
        return max(0.0, self._full_at - self._interval * (self.burst - 1) - now)

    def take(self, now: float) -> None:
        self._full_at = max(self._full_at, now) + self._interval

    def left(self, now: float) -> int:
        ahead = max(0.0, self._full_at - now)
        return max(0, int(self.burst - ahead / self._interval + 1e-9))


class Slice:
    """What this process holds of one key's quota. Callers hold ``lock``."""

    def __init__(self, size: int) -> None:
        self.lock = threading.Lock()
        self.refill = threading.Lock()
        self.node = secrets.token_hex(16)
        self.number = self.window = self.units = self.used = 0
        self.begun_at = self.ends_at = self.check_until = self.retry_at = -math.inf
        self.told: dict[str, Any] = {}
        self.rates: list[tuple[str, Rate]] = []
        self.dropped = False
        self._size = size
        self._short_of = 0
        self._waiting: Optional[tuple[dict[str, Any], float]] = None

    def unspent(self, now: float) -> int:
        sealed = self._waiting is not None and self._waiting[0]["closed"]
        if self.dropped or sealed or now >= self.ends_at:
            return 0
        return max(0, self.units - self.used)

    def spend(self, n: int, now: float) -> str:
        """``granted``, ``check`` or ``lease``."""
        unspent = self.unspent(now)
        if unspent > 0 and n <= unspent:
            self.used += n
            return "granted"
        if now < self.check_until:
            return "check"
        self._short_of = n
        return "lease"

    def is_low(self, now: float) -> bool:
        paused = now < self.check_until or now < self.retry_at
        return not paused and self.unspent(now) <= self._size // 4

    def request(self, now: float) -> dict[str, Any]:
        """What to send; the same again until it was answered."""
        if self._waiting is None:
            over = now >= self.ends_at
            self._resize(over, now)
            self._seal(over and self.number > 0, max(self._size, self._short_of), now)
        assert self._waiting is not None
        return self._waiting[0]

    def last_word(self, now: float) -> Optional[dict[str, Any]]:
        """What was used; the rest goes back."""
        if self._waiting is None:
            if self.number == 0:
                return None
            self._seal(True, 0, now)
        return self.request(now)

    def answered(self, given: dict[str, Any], now: float) -> None:
        if self._waiting is None or given["number"] <= self.number:
            return
        asked, sent_at = self._waiting
        same = given["window"] == asked["window"] and self.number > 0
        self.used = self.used if same else given["used"]
        self.number, self.window, self.units = given["number"], given["window"], given["units"]
        self.begun_at, self.ends_at = sent_at, sent_at + given["ends_in_ms"] / 1000
        self.told, self._waiting = given, None
        unspent = self.unspent(now)
        if unspent == 0 or unspent < self._short_of:
            # A window that ended meanwhile is asked about at once.
            self.check_until = now if now >= self.ends_at else now + _PAUSE
        self._short_of = 0

    def _seal(self, closed: bool, wanted: int, now: float) -> None:
        asked = {"last": self.number, "window": self.window, "used": self.used}
        self._waiting = ({**asked, "closed": closed, "wanted": wanted}, now)

    def _resize(self, over: bool, now: float) -> None:
        if self.number == 0:
            return
        if over and self.units - self.used > self._size // 2:
            self._size = max(1, self._size // 2)
        elif not over and now < self.begun_at + _SHORT:
            self._size = min(_MAX_SLICE, self._size * 2)


class Slices:
    """The slices of this process, by key; safe for threads and after a fork."""

    def __init__(
        self,
        send: Send,
        question: dict[str, Any],
        *,
        size: int,
        lease: int,
        rates: tuple[tuple[str, str], ...],
    ) -> None:
        self._send = send
        self._question = question
        self._size = min(max(1, size), _MAX_SLICE)
        self._lease_secs = lease
        self._rates = rates
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._by_key: dict[str, Slice] = {}
        self._shared: dict[tuple[str, str], Rate] = {}
        self._ended = threading.Event()
        self._sweeper: Optional[threading.Thread] = None

    def _slice(self, key: str) -> Optional[Slice]:
        if os.getpid() != self._pid:
            # A parent's slices are the parent's to spend.
            self._begin()
        with self._lock:
            found = self._by_key.get(key)
            if found is None and len(self._by_key) < _MAX_KEYS and not self._ended.is_set():
                found = self._by_key[key] = Slice(self._size)
                if self._sweeper is None:
                    self._sweeper = threading.Thread(target=self._sweep, daemon=True)
                    self._sweeper.start()
            return found

    def local(self, key: str, n: int) -> Optional[Granted]:
        """Decides without the network, where that is possible."""
        one = self._slice(key)
        if one is None:
            return None
        with one.lock:
            now = time.monotonic()
            if n > one.unspent(now):
                return None
            refused = self._too_fast(one, now)
            if refused is not None:
                return refused
            if one.spend(n, now) != "granted":
                return None
            for _, rate in one.rates:
                rate.take(now)
            low = one.is_low(now)
            answer = self._answer(one, now, None)
        if low:
            threading.Thread(target=self._refill, args=(key, one), daemon=True).start()
        return answer

    def allow(self, key: str, n: int) -> Union[Granted, tuple[int, dict[str, Any]], None]:
        """What was decided; what the server refused; ``None`` when it must be asked about this one."""
        granted = self.local(key, n)
        one = self._slice(key)
        if granted is not None or one is None:
            return granted
        with one.refill:
            for _ in range(3):
                granted = self.local(key, n)
                if granted is not None:
                    return granted
                with one.lock:
                    now = time.monotonic()
                    if one.dropped or now < one.check_until or one.spend(n, now) != "lease":
                        return None if not one.told else self._refused_rate(one, now)
                refused = self._lease(key, one)
                if refused is not None:
                    return refused
        return None

    def _refused_rate(self, one: Slice, now: float) -> Optional[Granted]:
        """Requests that are asked about singly fall under this process's rates too."""
        refused = self._too_fast(one, now)
        if refused is None:
            for _, rate in one.rates:
                rate.take(now)
        return refused

    def _refill(self, key: str, one: Slice) -> None:
        if not one.refill.acquire(blocking=False):
            return
        try:
            with one.lock:
                if not one.is_low(time.monotonic()):
                    return
            self._lease(key, one)
        except Exception:
            # What is held is spent first; then whoever needs more is told.
            one.retry_at = time.monotonic() + _PAUSE
        finally:
            one.refill.release()

    def _lease(self, key: str, one: Slice) -> Optional[tuple[int, dict[str, Any]]]:
        with one.lock:
            asked = one.request(time.monotonic())
        status, told = self._ask(key, one, asked)
        with one.lock:
            if status == 200:
                one.answered(told, time.monotonic())
                self._keep_rates(one)
                return None
            one.dropped = True
        with self._lock:
            if self._by_key.get(key) is one:
                del self._by_key[key]
        # No slice is to be had, which says nothing against the request.
        return None if status == 409 else (status, told)

    def _ask(self, key: str, one: Slice, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        about = {"key": key, "node": one.node, "lease_secs": self._lease_secs}
        return self._send({**self._question, **about, **asked})

    def _keep_rates(self, one: Slice) -> None:
        own = one.told.get("rate")
        if one.rates or not (own or self._rates):
            return
        for index, (per, text) in enumerate(self._rates):
            whom = one.told["api_key_id"] if per == "key" else one.told["license_id"]
            rate = self._shared.setdefault((f"{index} {per}", whom), Rate(text))
            one.rates.append((per, rate))
        if own:
            rate = self._shared.setdefault((own, one.told["api_key_id"]), Rate(own))
            one.rates.append(("own", rate))

    def _too_fast(self, one: Slice, now: float) -> Optional[Granted]:
        waits = [rate.wait(now) for _, rate in one.rates]
        if not any(wait > 0 for wait in waits):
            return None
        answer = self._answer(one, now, "rate_limited")
        answer.headers["Retry-After"] = str(max(1, math.ceil(max(waits))))
        return answer

    def _answer(self, one: Slice, now: float, refused_by: Optional[str]) -> Granted:
        limit, left = one.told.get("limit"), one.told.get("remaining")
        remaining = None if left is None else left + one.unspent(now)
        policies, states = [], []
        headers: dict[str, str] = {}
        if limit is not None and remaining is not None:
            name = str(one.told["meter"]).replace("\\", "\\\\").replace('"', '\\"')
            policies.append(f'"{name}";q={limit}')
            resets = one.told.get("resets_at")
            state = f'"{name}";r={remaining}'
            headers["X-RateLimit-Limit"] = str(limit)
            headers["X-RateLimit-Remaining"] = str(remaining)
            if resets is not None:
                state += f";t={max(0, math.ceil(resets / 1000 - time.time()))}"
                headers["X-RateLimit-Reset"] = str(math.ceil(resets / 1000))
            states.append(state)
        for per, rate in one.rates:
            policies.append(f'"{per}";q={rate.units};w={math.ceil(rate.period)}')
            states.append(f'"{per}";r={rate.left(now)};t={math.ceil(rate.wait(now))}')
        if policies:
            headers["RateLimit-Policy"] = ", ".join(policies)
            headers["RateLimit"] = ", ".join(states)
        return Granted(one.told, remaining, refused_by, headers)

    def _sweep(self) -> None:
        """What idle keys hold is reported when its lease is over."""
        ended = self._ended
        while not ended.wait(max(0.5, self._lease_secs / 4)):
            self._report(lambda one, now: now >= one.ends_at)

    def close(self) -> None:
        """Reports everything and gives back what is unspent; what comes later is asked singly."""
        self._ended.set()
        self._report(lambda one, now: True)

    def _report(self, due: Callable[[Slice, float], bool]) -> None:
        with self._lock:
            held = list(self._by_key.items())
        for key, one in held:
            with one.refill:
                try:
                    self._say_last(key, one, due)
                except Exception:
                    # It is said again at the next turn, or by the next request.
                    continue

    def _say_last(self, key: str, one: Slice, due: Callable[[Slice, float], bool]) -> None:
        # A request that was never answered comes before the last word.
        for _ in range(2):
            with one.lock:
                now = time.monotonic()
                asked = one.last_word(now) if due(one, now) else None
            if asked is None:
                return
            status, told = self._ask(key, one, asked)
            with one.lock:
                if status == 200:
                    one.answered(told, time.monotonic())
                one.dropped = status != 200 or (asked["closed"] and asked["wanted"] == 0)
            if one.dropped:
                break
        with self._lock:
            if one.dropped and self._by_key.get(key) is one:
                del self._by_key[key]
