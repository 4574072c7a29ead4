"""API keys in front of an ASGI app: FastAPI, Starlette and others.

>>> app.add_middleware(
...     mintreu.asgi.Guard, gateway=gateway, plan=lambda key: plans_by_key.get(key))

``gateway`` is a ``mintreu.Gateway``, which decides and counts in this process, or a
``RemoteGateway``, which asks the server. Whoever goes on has the limits' header fields in the
response and the answer in ``request.scope["mintreu"]``.
"""

import asyncio
import inspect
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from ._errors import MintreuError
from ._native import Answer, Gateway
from ._slices import Granted, Slices

__all__ = ["Guard", "RemoteAnswer", "RemoteGateway", "key_of"]

_ATTEMPTS = 3
_LONGEST_ANSWER = 1024 * 1024
_LIMIT_HEADERS = (
    "RateLimit",
    "RateLimit-Policy",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "Retry-After",
)
# What the customer of an API is told: the key is wrong, they may not, not now.
_STATUS = {
    "api_key_missing": 401,
    "api_key_unknown": 401,
    "token_mistyped": 401,
    "api_key_disabled": 403,
    "license_expired": 403,
    "license_revoked": 403,
    "quota_spent": 429,
    "rate_limited": 429,
    "gateway_unavailable": 503,
}

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


@dataclass(frozen=True)
class RemoteAnswer:
    """What the server said of a key."""

    allowed: bool
    code: str
    subject: Optional[str]
    remaining: Optional[int]
    entitlements: dict[str, Union[bool, int, str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    resets_at: Optional[int] = None
    #: Units used and held beyond the limit, where the license allows that.
    overage: int = 0
    #: The alert (a percentage of the limit) that this use reached; never by slices.
    crossed: Optional[int] = None

    def __bool__(self) -> bool:
        return self.allowed


class RemoteGateway:
    """Asks the server about each key: counted there, once, however often the network fails."""

    def __init__(
        self,
        server: str,
        *,
        token: str,
        meter: str,
        rates: tuple[tuple[str, str], ...] = (),
        entitlements: tuple[str, ...] = (),
        timeout: float = 5.0,
        slices: bool = False,
        slice_size: int = 100,
        lease_secs: int = 300,
    ) -> None:
        """``rates`` are pairs such as ``("key", "100/minute")`` or ``("license", "1000/minute")``.

        With ``slices`` this process holds units of each key's quota for up to ``lease_secs`` and
        spends them without asking; rates are kept in its memory then. Call ``close`` at the end.
        """
        if not server.startswith(("http://", "https://")):
            raise ValueError("server starts with http:// or https://")
        self._server = server.rstrip("/")
        self._token = token
        self._timeout = timeout
        self._question = {
            "meter": meter,
            "rates": [{"per": per, "rate": rate} for per, rate in rates],
            "entitlements": list(entitlements),
        }
        about = {"meter": meter, "entitlements": list(entitlements)}
        sizes = {"size": slice_size, "lease": lease_secs}
        self._slices = Slices(self._slice, about, rates=rates, **sizes) if slices else None

    def close(self) -> None:
        """Reports what was used of slices and gives back the rest; nothing without slices."""
        if self._slices is not None:
            self._slices.close()

    def allow_here(self, key: str, n: int = 1) -> Optional[RemoteAnswer]:
        """Decides by a slice that is held already; ``None`` when the server must be asked."""
        granted = self._slices.local(key, n) if self._slices is not None else None
        return None if granted is None else _by_slice(granted)

    def allow(
        self, key: str, plan: Optional[str] = None, n: int = 1, *, request_id: Optional[str] = None
    ) -> RemoteAnswer:
        """Blocks while the server answers; raises ``gateway_unavailable`` when it can't be asked.

        A ``request_id`` is always asked about at the server, which knows those of other processes.
        """
        if self._slices is not None and request_id is None:
            decided = self._slices.allow(key, n)
            if isinstance(decided, Granted):
                return _by_slice(decided)
            if decided is not None:
                return _told(decided[0], {}, decided[1])
        # The request id makes asking again harmless: what was counted is not counted twice.
        question = {"key": key, "units": n, "request_id": request_id or str(uuid.uuid4())}
        body = json.dumps({**self._question, **question}).encode()
        return _told(*self._ask("/v1/gateway/check", body))

    def _slice(self, question: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        answer = self._ask("/v1/gateway/slices", json.dumps(question).encode())
        _told(*answer)
        return answer[0], answer[2]

    def _ask(self, path: str, body: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = self._once(path, body)
            except OSError as unreachable:
                if attempt == _ATTEMPTS:
                    raise _unavailable(str(unreachable)) from unreachable
                continue
            if answer[0] != 503:
                break
        return answer

    def _once(self, path: str, body: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
        request = urllib.request.Request(
            self._server + path,
            data=body,
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
            },
        )
        try:
            response = urllib.request.urlopen(request, timeout=self._timeout)
        except urllib.error.HTTPError as refused:
            response = refused
        with response:
            given = response.headers
            headers = {name: given[name] for name in _LIMIT_HEADERS if name in given}
            text = response.read(_LONGEST_ANSWER)
            try:
                told = json.loads(text)
            except ValueError:
                told = {}
            return response.status, headers, told if isinstance(told, dict) else {}


def _told(status: int, headers: dict[str, str], told: dict[str, Any]) -> RemoteAnswer:
    if status >= 500 or told.get("code") == "token_invalid":
        raise _unavailable(str(told.get("detail", f"the server answered {status}")))
    return RemoteAnswer(
        allowed=status == 200,
        code=str(told.get("code", "internal")),
        subject=told.get("api_key_id"),
        remaining=told.get("remaining"),
        entitlements=told.get("entitlements", {}),
        headers=headers,
        resets_at=told.get("resets_at"),
        overage=told.get("overage") or 0,
        crossed=told.get("crossed"),
    )


def _by_slice(granted: Granted) -> RemoteAnswer:
    told = granted.told
    return RemoteAnswer(
        allowed=granted.refused_by is None,
        code=granted.refused_by or "allowed",
        subject=told["api_key_id"],
        remaining=granted.remaining,
        entitlements=told["entitlements"],
        headers=granted.headers,
        resets_at=told["resets_at"],
        overage=told.get("overage") or 0,
    )


def _unavailable(detail: str) -> MintreuError:
    return MintreuError("gateway_unavailable", f"the key can't be checked: {detail}")


def key_of(scope: _Scope) -> Optional[str]:
    """The API key of a request: ``x-api-key``, or a bearer token."""
    headers = {name.lower(): value for name, value in scope["headers"]}
    given = headers.get(b"x-api-key")
    if given:
        return str(given.decode("latin-1"))
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


class Guard:
    """Lets a request on with its limits' header fields, or answers 401, 403, 429 or 503 with them."""

    def __init__(
        self,
        app: _App,
        *,
        gateway: Union[Gateway, RemoteGateway],
        by: Callable[[_Scope], Optional[str]] = key_of,
        plan: Callable[[str], Union[Optional[str], Awaitable[Optional[str]]]] = lambda key: "default",
        units: Callable[[_Scope], int] = lambda scope: 1,
        allow_when_unavailable: bool = False,
    ) -> None:
        """``plan`` names the plan of a key, or is ``None`` for a key that nobody has."""
        self._app = app
        self._gateway = gateway
        self._by = by
        self._plan = plan
        self._units = units
        self._lenient = allow_when_unavailable

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        key = self._by(scope)
        found = self._plan(key) if key else None
        plan = await found if inspect.isawaitable(found) else found
        if key is None or plan is None:
            await _refuse(send, "api_key_unknown" if key else "api_key_missing", {})
            return
        try:
            answer = await self._allow(key, plan, self._units(scope))
        except MintreuError as error:
            if error.code != "gateway_unavailable":
                raise
            if self._lenient:
                await self._app(scope, receive, send)
            else:
                await _refuse(send, error.code, {"Retry-After": "1"})
            return
        if not answer.allowed:
            await _refuse(send, answer.code, answer.headers)
            return
        scope["mintreu"] = answer
        fields = [_field(*pair) for pair in answer.headers.items()]

        async def with_fields(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *fields]
            await send(message)

        await self._app(scope, receive, with_fields)

    async def _allow(self, key: str, plan: str, n: int) -> Union[Answer, RemoteAnswer]:
        if isinstance(self._gateway, Gateway):
            return self._gateway.allow(key, plan, n)
        held = self._gateway.allow_here(key, n) if isinstance(self._gateway, RemoteGateway) else None
        if held is not None:
            return held
        # It blocks while the server answers.
        return await asyncio.to_thread(self._gateway.allow, key, plan, n)


def _field(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode(), value.encode()


async def _refuse(send: _Send, code: str, headers: dict[str, str]) -> None:
    status = _STATUS.get(code, 500)
    problem = {"type": f"urn:mintreu:problem:{code}", "status": status, "code": code}
    fields = [_field(*pair) for pair in headers.items()]
    fields.append((b"content-type", b"application/problem+json"))
    fields.append((b"cache-control", b"no-store"))
    if status == 401:
        fields.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": json.dumps(problem).encode()})
