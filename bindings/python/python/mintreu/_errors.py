"""The one exception of the package."""


class MintreuError(Exception):
    """What went wrong: a stable ``code``, the same in every language, and a sentence."""

    code: str
    detail: str

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{detail} ({code})")
        self.code = code
        self.detail = detail

    def __reduce__(self) -> tuple[type["MintreuError"], tuple[str, str]]:
        return type(self), (self.code, self.detail)
