"""Syncs with the server, over the standard library's HTTP client."""

import http.client
import random
import time
import urllib.error
import urllib.request
from typing import Optional
from weakref import WeakKeyDictionary

from . import _native
from ._errors import MintreuError
from ._native import Engine, Request

_LONGEST_ANSWER = 2 * 1024 * 1024
_MOST_REQUESTS = 10_000

# How many tries have failed in a row, over all calls: each doubles the wait.
_failures: "WeakKeyDictionary[Engine, int]" = WeakKeyDictionary()


def retry_after(header: Optional[str], failures: int) -> float:
    """How many seconds to wait before sending again what the server didn't take.

    That is after a 429, a 5xx or no answer at all; ``header`` is the answer's ``Retry-After``, where
    it had one, and ``failures`` how many tries have failed in a row. At least as long as the server
    says, else doubling from a second to an hour; spread by chance over half as long again.
    """
    return _native.retry_after(header, failures, random.getrandbits(32)) / 1000


def sync(
    engine: Engine, base_url: str, *, timeout: float = 30.0, patience: float = 10.0
) -> int:
    """Sends what the server has not acknowledged; returns how many requests were answered.

    While the server can't be reached or has too much to do, it waits as ``retry_after`` says and
    tries again, as long as all waits together take at most ``patience`` seconds. Then it raises
    ``server_unavailable``, whose ``retry_after`` says in how many seconds to call again: nothing is
    lost. In asyncio, run it with ``asyncio.to_thread``; with an HTTP client of your own, use
    ``engine.next_request()`` and ``engine.on_response()`` as this function does.
    """
    if not base_url.startswith(("http://", "https://")):
        raise ValueError("base_url starts with http:// or https://")
    answered, missed = 0, False
    while answered < _MOST_REQUESTS:
        request = engine.next_request()
        if request is None:
            if not missed:
                break
            # What found no answer is asked for again in another round.
            missed = False
            continue
        later = _exchange(engine, base_url, request, timeout)
        if later is None:
            _failures.pop(engine, None)
            answered += 1
            continue
        missed = True
        patience = _wait(later, patience)
    return answered


def _wait(later: MintreuError, patience: float) -> float:
    """Waits as long as it must, and tells how much patience is left; raises where there is none."""
    wait = later.retry_after or 0.0
    if wait > patience:
        raise later
    time.sleep(wait)
    return patience - wait


def _exchange(
    engine: Engine, base_url: str, request: Request, timeout: float
) -> Optional[MintreuError]:
    """Sends a request and gives its answer to the engine; the error where it must be sent later."""
    header = None
    try:
        status, header, body = _send(
            urllib.request.Request(
                base_url.rstrip("/") + request.path,
                data=request.body,
                method=request.method,
                headers={"Content-Type": request.content_type},
            ),
            timeout,
        )
        engine.on_response(status, body)
    except MintreuError as error:
        if error.code != "server_unavailable":
            raise
        _failures[engine] = _failures.get(engine, 0) + 1
        error.retry_after = retry_after(header, _failures[engine])
        return error
    return None


def _send(
    request: urllib.request.Request, timeout: float
) -> tuple[int, Optional[str], bytes]:
    try:
        try:
            response = urllib.request.urlopen(request, timeout=timeout)
        except urllib.error.HTTPError as refused:
            response = refused
        # One byte more than the engine accepts, so that it can say that the answer is too long.
        with response:
            header = response.headers.get("Retry-After")
            return response.status, header, response.read(_LONGEST_ANSWER + 1)
    except (OSError, http.client.HTTPException) as unreachable:
        raise MintreuError(
            "server_unavailable", f"{request.full_url} can't be reached: {unreachable}"
        ) from unreachable
