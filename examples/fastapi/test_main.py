"""The example as its customers meet it, started as a program."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
VECTORS = Path(os.environ.get("MINTREU_VECTORS", HERE.parents[1] / "tests/vectors"))


def trust():
    cases = json.loads((VECTORS / "licenses.json").read_text())["cases"]
    return next(case["trust"] for case in cases if case["name"] == "without end, in the far future")


def get(port, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/hello", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.headers, json.load(response)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.status, refused.headers, json.load(refused)


def test_keys_are_let_in_counted_and_refused(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    given = {"MINTREU_FOLDER": str(tmp_path), "MINTREU_TRUST": trust(), "MINTREU_SECRET": "07" * 32}
    command = [sys.executable, "-m", "uvicorn", "main:app", "--port", str(port)]
    program = subprocess.Popen(
        command, cwd=HERE, env={**os.environ, **given}, stdout=subprocess.PIPE, text=True
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        for left in (2, 1, 0):
            status, fields, told = get(port, **{"x-api-key": "key-of-ada"})
            assert (status, told["left"]) == (200, left)
            assert fields["RateLimit-Policy"] == '"api.calls";q=3, "requests";q=20;w=1'
        status, fields, told = get(port, **{"x-api-key": "key-of-ada"})
        assert (status, told["code"]) == (429, "quota_spent")
        assert int(fields["Retry-After"]) > 0 and fields["RateLimit"].startswith('"api.calls";r=0')
        assert get(port, authorization="Bearer key-of-bob")[0] == 200
        assert get(port, **{"x-api-key": "a guess"})[0] == 401
    finally:
        program.send_signal(signal.SIGINT)
        said, _ = program.communicate(timeout=20)
    counted = re.findall(r"counted (\w{26}) (\d+)", said)
    assert sorted(units for _, units in counted) == ["1", "3"], said
