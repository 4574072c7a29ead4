"""Fingerprints and device keys from Python."""

import os
import shutil
import subprocess
import sys

import pytest

import mintreu

PRODUCT = "acme.editor"


def test_a_given_component_is_hashed_and_counted():
    known = mintreu.fingerprint(PRODUCT, {"pod": "renderer-0", "empty": ""})
    assert len(known) == 1
    assert (known.kind, known.platform) == (None, None)
    assert "renderer-0" not in repr(known)
    with pytest.raises(mintreu.MintreuError, match="malformed"):
        mintreu.fingerprint(PRODUCT, {f"part-{n}": "value" for n in range(17)})


def test_the_host_says_what_it_is():
    bare = mintreu.host_fingerprint(PRODUCT)
    assert bare.kind in {"physical", "virtual", "container", "ci"}
    known = mintreu.host_fingerprint(PRODUCT, {"pod": "renderer-0"})
    assert known.components == [*bare.components, "pod"]
    assert len(known) == len(bare) + 1


def test_the_environment_tells_a_job_of_ci():
    program = (
        "import mintreu; known = mintreu.host_fingerprint('acme.editor');"
        "print(known.kind, known.platform, len(known))"
    )
    environment = {**os.environ, "GITLAB_CI": "true"}
    environment.pop("GITHUB_ACTIONS", None)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["ci", "gitlab-ci", "0"]


def test_a_request_carries_the_fingerprint(tmp_path, forever):
    def request(name, fingerprint):
        engine = mintreu.Engine.open(
            tmp_path / name, trust=forever["trust"], fingerprint=fingerprint
        )
        engine.install("ACMHG-G20XB-B91JV-M18AA")
        return engine.activation_request()

    with_one = request("a", mintreu.fingerprint(PRODUCT, {"pod": "renderer-0"}))
    assert len(with_one) > len(request("b", None))


def test_a_folder_copied_to_another_host_is_a_new_device(tmp_path, forever):
    def opened(folder, host_id):
        return mintreu.Engine.open(tmp_path / folder, trust=forever["trust"], host_id=host_id)

    first = opened("first", "instance-1")
    device = first.device
    assert (first.device_key_protection, first.recovered) == ("file", [])
    del first
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    same = opened("first", "instance-1")
    copied = opened("second", "instance-2")
    assert (same.device, same.recovered) == (device, [])
    assert copied.device != device
    assert copied.recovered == ["host_changed"]
