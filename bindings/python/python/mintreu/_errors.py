"""The one exception of the package."""

from typing import Optional


class MintreuError(Exception):
    """What went wrong: a stable ``code``, the same in every language, and a sentence.

    ``retry_after`` is set where ``sync`` gave up: how many seconds to leave the server alone.
    """

    code: str
    detail: str
    retry_after: Optional[float] = None

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{detail} ({code})")
        self.code = code
        self.detail = detail

    def __reduce__(self) -> tuple[type["MintreuError"], tuple[str, str]]:
        return type(self), (self.code, self.detail)
