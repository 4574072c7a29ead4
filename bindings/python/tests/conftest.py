import json
import os
from pathlib import Path

import pytest

VECTORS = Path(os.environ.get("MINTREU_VECTORS", Path(__file__).parents[3] / "tests/vectors"))


def licenses():
    return json.loads((VECTORS / "licenses.json").read_text())["cases"]


@pytest.fixture
def forever():
    """A license without end, and the trust it is under."""
    return next(case for case in licenses() if case["name"] == "without end, in the far future")


@pytest.fixture
def alerting():
    """A license whose quota of 500 renders a month tells at 80 and at 100 percent."""
    return next(case for case in licenses() if case["name"] == "alerts")


@pytest.fixture
def engine(tmp_path, forever):
    import mintreu

    engine = mintreu.Engine.open(tmp_path / "license", trust=forever["trust"])
    engine.install(forever["license"])
    return engine
