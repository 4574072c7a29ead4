"""One sync with the server, over the standard library's HTTP client."""

import urllib.error
import urllib.request

from ._errors import MintreuError
from ._native import Engine

_LONGEST_ANSWER = 2 * 1024 * 1024
_MOST_REQUESTS = 10_000


def sync(engine: Engine, base_url: str, *, timeout: float = 30.0) -> int:
    """Sends what the server has not acknowledged; returns how many requests were answered.

    Raises ``server_unavailable`` when the server can't be reached: call again later, nothing is
    lost. In asyncio, run it with ``asyncio.to_thread``; with an HTTP client of your own, use
    ``engine.next_request()`` and ``engine.on_response()`` as this function does.
    """
    if not base_url.startswith(("http://", "https://")):
        raise ValueError("base_url starts with http:// or https://")
    for answered in range(_MOST_REQUESTS):
        request = engine.next_request()
        if request is None:
            return answered
        status, body = _send(
            urllib.request.Request(
                base_url.rstrip("/") + request.path,
                data=request.body,
                method=request.method,
                headers={"Content-Type": request.content_type},
            ),
            timeout,
        )
        engine.on_response(status, body)
    return _MOST_REQUESTS


def _send(request: urllib.request.Request, timeout: float) -> tuple[int, bytes]:
    # One byte more than the engine accepts, so that it can say that the answer is too long.
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return response.status, response.read(_LONGEST_ANSWER + 1)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read(_LONGEST_ANSWER + 1)
    except OSError as unreachable:
        raise MintreuError(
            "server_unavailable", f"{request.full_url} can't be reached: {unreachable}"
        ) from unreachable
