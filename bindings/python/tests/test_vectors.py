"""Every vector that every language runs."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from conftest import VECTORS

import mintreu

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def instant(ms):
    # Python's years end at 9999; what holds then holds later.
    return None if ms is None else EPOCH + timedelta(milliseconds=min(ms, 253_402_300_799_000))


def run_license(case):
    facts = (case["license"], case["trust"], instant(case["now"]))
    options = {"version": case.get("version"), "released_at": instant(case.get("released_at"))}
    verdict = mintreu.verdict(*facts, **options)
    found = {"verdict": verdict.code, "allowed": verdict.allowed}
    if "license" in case["expect"]:
        license = mintreu.verify(*facts, **options)
        found["license"] = {name: getattr(license, name) for name in ("id", "product", "edition")}
        found["license"]["entitlements"] = license.entitlements
        found["license"]["quotas"] = {
            name: {"limit": quota.limit, "window": quota.window}
            for name, quota in license.quotas.items()
        }
    return found


def run_activation(case):
    held = {name: case.get(name) for name in ("device", "activation", "lease")}
    held |= {name: case.get(name) or [] for name in ("key_sets", "revocations")}
    verdict = mintreu.verdict(case["license"], case["trust"], instant(case["now"]), **held)
    return {"verdict": verdict.code, "allowed": verdict.allowed}


def run_text(read, name, text):
    try:
        return {"ok": {name: read(text)}}
    except mintreu.MintreuError as error:
        return {"error": error.code}


def run_price(case):
    try:
        charges = [
            mintreu.Charge(
                charge["name"],
                charge["tariff"],
                charge.get("quantity"),
                transactions=charge.get("transactions"),
                each=charge.get("each"),
                cells=[(c["dimensions"], c["quantity"]) for c in charge.get("cells", [])],
            )
            for charge in case["charges"]
        ]
        instants = ("expires_at", "created_at")
        credits = [
            mintreu.Credit(
                **{k: instant(v) if k in instants else v for k, v in credit.items()}
            )
            for credit in case.get("credits", [])
        ]
        share = case.get("share")
        bill = mintreu.bill(
            charges,
            credits=credits,
            commitment=case.get("commitment"),
            share=share and tuple(share),
            at=instant(case.get("now", 0)),
        )
    except mintreu.MintreuError as error:
        return {"error": error.code}
    assert sum(line.amount.minor for line in bill.lines) == bill.total.minor
    lines = [{"charge": l.charge, "kind": l.kind, "text": l.text} for l in bill.lines]
    burns = [f"{b.credit}: {b.amount if b.units is None else b.units}" for b in bill.burns]
    told = {"lines": lines, "cost": str(bill.cost), "total": str(bill.total), "burns": burns}
    return {"ok": told}


RUN = {
    "price": run_price,
    "license": run_license,
    "activation": run_activation,
    "redeem_code": lambda case: run_text(mintreu.redeem_code, "canonical", case["code"]),
    "trust": lambda case: run_text(mintreu.trust_product, "product", case["trust"]),
}
FILES = [json.loads(path.read_text()) for path in sorted(VECTORS.glob("*.json"))]
CASES = [(file["file"], case) for file in FILES for case in file["cases"]]


@pytest.mark.parametrize(("file", "case"), CASES, ids=[f"{f}: {c['name']}" for f, c in CASES])
def test_vector(file, case):
    assert RUN[file](case) == case["expect"]


def test_there_are_vectors():
    assert len(CASES) >= 200
