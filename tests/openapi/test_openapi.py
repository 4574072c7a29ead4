"""Every route answers as `/openapi.json` says, whoever asks and whatever for.

Schemathesis makes requests from the description, good ones and bad ones, with the names that the
asking role knows, and judges each answer: no failure of the server, a status, a content type, a
body and headers that are described. The same seed makes the same requests.
"""

import copy
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

SEED = 20270115
# How many random requests each route gets, and after how many seconds a role stops asking: a look at
# all of it in some minutes, unless a soak says otherwise.
CASES = int(os.environ.get("MINTREU_TEST_OPENAPI_CASES", "4"))
SECONDS = int(os.environ.get("MINTREU_TEST_OPENAPI_SECONDS", "120"))
# From how many on it is worth to try every combination of what a route takes, too.
DEEP = 12
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
]
# Who asks, and whether for every combination of what a route takes when it goes deep: some for whom
# much is there.
ROLES = {"guest": False, "buyer": False, "service": False, "seller": True, "owner": True}
# Asking for these ends what the others are asked with.
LAST = [("DELETE", "/v1/sessions"), ("DELETE", "/v1/sessions/{session_id}")]
# What these end is asked for again, so that they get something to spare.
ENDED = ["/v1/meters/{meter}", "/api/v1/meters/{meter}"]
# What a parameter's name stands for, where that isn't its own prefix.
NAMES = {
    "path.activation_id": "act",
    "path.affiliation_id": "afl",
    "path.api_key_id": "apk",
    "path.batch_id": "bat",
    "path.bundle_id": "bnd",
    "path.coupon_id": "cpn",
    "path.customer": "customer",
    "path.delivery": "whd",
    "path.dispute_id": "dsp",
    "path.endpoint": "whe",
    "path.gift_id": "gft",
    "path.key_id": "key",
    "path.license_id": "lic",
    "path.meter": "meter",
    "path.name": "property",
    "path.order_id": "ord",
    "path.order_line_id": "orl",
    "path.payout_id": "pyo",
    "path.payout_run_id": "pyr",
    "path.price_id": "prc",
    "path.product_id": "prd",
    "path.seller_id": "acc",
    "path.slug": "slug",
    "path.stream": "str",
    "path.subscription_id": "sub",
    "path.transaction": "transaction",
    "query.external_subscription_id": "subject",
    "query.license": "lic",
    "query.price_id": "prc",
    "query.product": "prd",
    "query.subject": "subject",
    "body.license_id": "lic",
    "body.order_id": "ord",
    "body.price_id": "prc",
    "body.product_id": "prd",
}
# `{id}` is of a kind that the path before it says.
OF_PATH = {
    "/v1/credit-notes/": "crn",
    "/v1/invoices/": "inv",
    "/v1/licenses/": "lic",
    "/v1/products/": "prd",
    "/v1/tokens/": "tok",
}


def toml(value):
    """A value as TOML writes it; JSON's texts, numbers, booleans and lists are the same there."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def settings(token, known, thorough):
    """What a run is told besides the description: who asks, and which names there are."""
    coverage = {"enabled": thorough and CASES >= DEEP}
    whole = {
        "seed": SEED,
        "hooks": str(Path(__file__).with_name("hooks.py")),
        "generation": {"database": "none", "max-examples": CASES},
        "phases": {"stateful": {"enabled": False}, "coverage": coverage},
    }
    if token:
        whole["headers"] = {"Authorization": f"Bearer {token}"}
    bound = {name: what for name, what in NAMES.items() if what in known}
    whole["dictionaries"] = {what: {"values": names} for what, names in known.items()}
    binding = lambda what: {"dictionary": what, "probability": 0.7}  # noqa: E731
    whole["parameters"] = {name: binding(what) for name, what in bound.items()}
    operations = [
        {"include-path-regex": f"^{start}{{id}}", "parameters": {"path.id": binding(what)}}
        for start, what in OF_PATH.items()
        if what in known
    ]
    if token:
        for method, path in LAST:
            operations.append({"include-name": f"{method} {path}", "enabled": False})
    if "spare" in known:
        for path in ENDED:
            parameters = {"path.meter": {"dictionary": "spare", "probability": 1.0}}
            operations.append({"include-name": f"DELETE {path}", "parameters": parameters})
    lines = [f"{key} = {toml(value)}" for key, value in whole.items() if value]
    for operation in operations:
        lines.append("[[operations]]")
        lines += [f"{key} = {toml(value)}" for key, value in operation.items()]
    return "\n".join(lines) + "\n"


def judge(folder, description, url, token=None, known=None, only=None, thorough=True):
    """Runs Schemathesis; answers its exit code and its words."""
    config, schema = folder / "schemathesis.toml", folder / "openapi.json"
    config.write_text(settings(token, known or {}, thorough))
    schema.write_text(json.dumps(description))
    program = os.path.join(os.path.dirname(sys.executable), "st")
    command = [program, "--config-file", str(config), "--no-color", "run", str(schema)]
    command += ["--url", url, "--checks", ",".join(CHECKS), "--continue-on-failure"]
    command += ["--warnings", "off", "--no-shrink", "--max-time", str(SECONDS)]
    if only:
        command += ["--include-path", only]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    return done.returncode, done.stdout + done.stderr


def operations(description):
    methods = {"get", "put", "post", "patch", "delete"}
    return sum(len(methods & set(item)) for item in description["paths"].values())


@pytest.mark.parametrize("role", ROLES)
def test_every_route_answers_as_described(shop, role, tmp_path):
    description = shop.description()
    known = shop.known(role)
    token = shop.tokens[role]
    code, words = judge(tmp_path, description, shop.url, token, known, thorough=ROLES[role])
    assert code == 0, words[-20_000:]
    tested = int(re.search(r"Tested: (\d+)", words)[1])
    assert tested >= operations(description) - len(LAST), words[-2_000:]


def test_what_is_listed_is_there(shop):
    """The requests above would prove little if every name they used were unknown."""
    for role, kinds in {
        "buyer": {"ord", "lic", "sub", "inv", "slug"},
        "seller": {"cpn", "lic", "ord", "orl", "prc", "prd", "pyo", "slug"},
        "service": {"meter", "prd", "slug"},
        "owner": {"acc", "dsp", "lac", "ord"},
    }.items():
        missing = kinds - set(shop.known(role))
        assert not missing, f"{role} knows no {missing}"


def wrong(description, check):
    """The description with one lie about `/v1/categories` in it."""
    lie = copy.deepcopy(description)
    answers = lie["paths"]["/v1/categories"]["get"]["responses"]
    truth = answers["200"]
    match check:
        case "status_code_conformance":
            answers["202"] = answers.pop("200")
        case "content_type_conformance":
            truth["content"] = {"text/html": {}}
        case "response_schema_conformance":
            truth["content"]["application/json"]["schema"] = {"type": "integer"}
        case "response_headers_conformance":
            header = {"required": True, "schema": {"type": "integer"}}
            truth["headers"] = {"x-request-id": header}
    return lie


LIES = {
    "status_code_conformance": "Undocumented status code",
    "content_type_conformance": "Undocumented Content-Type",
    "response_schema_conformance": "Response violates schema",
    "response_headers_conformance": "Response header does not conform to the schema",
}


@pytest.mark.parametrize("check", LIES)
def test_a_wrong_description_is_found(shop, check, tmp_path):
    lie = wrong(shop.description(), check)
    code, words = judge(tmp_path, lie, shop.url, only="/v1/categories")
    assert code == 1 and LIES[check] in words, words


def test_the_same_without_the_lie_is_not(shop, tmp_path):
    code, words = judge(tmp_path, shop.description(), shop.url, only="/v1/categories")
    assert code == 0, words


class Broken(http.server.BaseHTTPRequestHandler):
    """A server that fails, in the form that is described."""

    def do_GET(self):
        body = b'{"type": "", "title": "", "status": 500, "code": "internal", "detail": ""}'
        self.send_response(500)
        self.send_header("content-type", "application/problem+json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_a_failing_server_is_found(shop, tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        code, words = judge(tmp_path, shop.description(), url, only="/v1/categories")
        server.shutdown()
    assert code == 1 and "Server error" in words, words
