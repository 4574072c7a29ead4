"""The engine, with what only Python has: decorators."""

import functools
import os
from collections.abc import Callable
from datetime import datetime
from typing import Any, Optional, TypeVar, Union, cast

from . import _native

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Engine(_native.Engine):
    """A product's licenses and meters on one device. Safe to share between threads.

    Any number of processes may have one folder open: they count together. A forked worker may count
    through what it inherited; it is best to open the engine in each worker.
    """

    @classmethod
    def open(
        cls,
        path: Union[str, "os.PathLike[str]"],
        *,
        trust: str,
        version: Optional[str] = None,
        released_at: Optional[datetime] = None,
        fingerprint: Optional[_native.Fingerprint] = None,
        host_id: Optional[str] = None,
        add_up: bool = False,
        pace: Optional[_native.Pace] = None,
    ) -> "Engine":
        """Opens the engine in a folder of its own, which is made when there is none.

        ``trust`` is a constant of your program, never read from a file that a user can write.
        ``fingerprint`` is from ``host_fingerprint``, for licenses that are bound to a host.
        ``host_id`` binds the device's key to an id of yours instead of the machine's; ``""``
        binds it to nothing. ``add_up`` adds the limits and quotas of several licenses up, where
        else the largest counts. ``pace`` says how often counts reach the disk and are sealed.
        """
        return cls(
            path,
            trust=trust,
            version=version,
            released_at=released_at,
            fingerprint=fingerprint,
            host_id=host_id,
            add_up=add_up,
            pace=pace,
        )

    def requires(self, feature: str) -> Callable[[_Function], _Function]:
        """Lets a function run only while the license includes ``feature``.

        The call raises ``MintreuError`` with the reason otherwise. For an ``async def`` function
        that happens when it is called, before it is awaited.
        """

        def decorate(function: _Function) -> _Function:
            @functools.wraps(function)
            def checked(*args: Any, **kwargs: Any) -> Any:
                self.check(feature)
                return function(*args, **kwargs)

            return cast(_Function, checked)

        return decorate
