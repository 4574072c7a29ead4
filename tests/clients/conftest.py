"""A root key and a license from the command line, and what a foreign library needs to know."""

import base64
import hashlib
import json
import os
import subprocess

import pytest

PRODUCT = "acme.editor"
LICENSE_AAD = b"mintreu/license/1"
ED25519 = -19
TYPE = 16


def mintreu(*arguments):
    """Runs the command line and gives its exit code and its JSON."""
    done = subprocess.run(
        [os.environ["MINTREU_BIN"], "--json", *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else done.stderr


def key_id(public):
    """The first eight bytes of the COSE key thumbprint (RFC 9679), worked out here anew."""
    return hashlib.sha256(bytes.fromhex("a301012006215820") + public).digest()[:8]


def public_text(public):
    encoded = base64.urlsafe_b64encode(public + key_id(public)[:4])
    return "MT1K-" + encoded.decode().rstrip("=")


def from_text(text):
    encoded = text.removeprefix("MT1-")
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


def to_text(document):
    return "MT1-" + base64.urlsafe_b64encode(document).decode().rstrip("=")


@pytest.fixture(scope="session")
def issued(tmp_path_factory):
    folder = tmp_path_factory.mktemp("root")
    key = str(folder / "root.key")
    code, made = mintreu("keys", "new", "--out", key)
    assert code == 0, made
    arguments = ["--key", key, "--product", PRODUCT, "--entitlement", "pro", "--expires", "2099-01-01"]
    code, license = mintreu("license", "issue", *arguments)
    assert code == 0, license
    public = base64.urlsafe_b64decode(made["public_key"].removeprefix("MT1K-"))[:32]
    return {"public": public, "text": license["license"], "claims": license["claims"]}


@pytest.fixture
def verify():
    """Our verdict on a document that somebody else made."""

    def judged(document, public):
        trust = ["--trust", public_text(public), "--product", PRODUCT]
        return mintreu("license", "verify", to_text(document), *trust)

    return judged
