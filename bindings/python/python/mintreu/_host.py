"""What tells hosts apart, with the environment that only Python's own side sees."""

import os
from collections.abc import Mapping
from typing import Optional

from . import _native


def host_fingerprint(
    product: str, components: Optional[Mapping[str, str]] = None
) -> _native.Fingerprint:
    """What this host looks like to a product, with ``components`` that you know of it.

    In a container and in a CI job the host has no components of its own: give an id, such as the
    name of a StatefulSet's pod. ``kind`` and ``platform`` of the answer say where this is.
    """
    return _native.host_fingerprint(product, dict(components or {}), dict(os.environ))
