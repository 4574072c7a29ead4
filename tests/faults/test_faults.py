"""Today's metering clients and Mintreu's own on the same bad lines: tests/faults, docs/faults.md."""

import os
import re
from pathlib import Path

import pytest
from faults import CLIENTS, Run
from line import FAULTS, ON_THE_LINE

FORM = os.environ.get("MINTREU_TEST_FAULTS", "short")
DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
OURS = [client for client in CLIENTS if client.ours]
CONTROL = next(client for client in CLIENTS if client.name == "control")


@pytest.fixture(scope="session")
def outcomes():
    return Run(FORM).outcomes()


def row_of(client):
    """The document's cells for a client, by fault."""
    start = f"| {client.label} | {client.version} |"
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith(start)]
    assert len(rows) == 1, f"docs/faults.md has no row that starts with {start}"
    cells = [cell.strip() for cell in rows[0].strip("|").split("|")[2:]]
    return dict(zip([fault for fault in FAULTS if fault != "healthy"], cells, strict=True))


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.label)
def test_without_a_fault_every_unit_is_billed_once(outcomes, client):
    outcome = outcomes[client, "healthy"]
    assert (outcome.lost, outcome.doubled, outcome.errors) == (0, 0, 0)
    assert outcome.requests > 0


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "healthy"])
@pytest.mark.parametrize("client", OURS, ids=lambda client: client.label)
def test_mintreu_loses_and_doubles_nothing(outcomes, client, fault):
    outcome = outcomes[client, fault]
    assert (outcome.lost, outcome.doubled, outcome.errors) == (0, 0, 0)
    assert outcome.counted > 0


def test_every_fault_of_the_line_was_met(outcomes):
    unmet = [scenario for scenario, outcome in outcomes.items() if not outcome.struck]
    assert [fault for _, fault in unmet if fault in ON_THE_LINE] == []


@pytest.mark.parametrize("fault", ["exit", "SIGKILL", "offline"])
def test_a_naive_client_loses(outcomes, fault):
    assert outcomes[CONTROL, fault].lost > 0


@pytest.mark.parametrize("fault", ["lost response", "duplicate"])
def test_a_naive_client_doubles(outcomes, fault):
    assert outcomes[CONTROL, fault].doubled > 0


def test_the_document_has_the_clients_and_versions_that_were_run():
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.count("|") == len(FAULTS) + 2]
    rows = [line for line in rows if re.match(r"\| .+ \((Python|Node)\) \|", line)]
    assert len(rows) == len(CLIENTS)
    for client in CLIENTS:
        row_of(client)
    for client in OURS:
        assert set(row_of(client).values()) == {"exact"}


def what(cell):
    """What a cell says without its numbers, which the form decides."""
    return set(re.findall("exact|lost|doubled|errors", cell))


def test_the_document_says_what_came_out(outcomes):
    # When a process dies depends on the scheduler: what a client loses by it does too.
    told = {client: row_of(client) for client in CLIENTS}
    wrong = {
        (client.label, fault): (told[client][fault], str(outcome))
        for (client, fault), outcome in outcomes.items()
        if fault not in ("healthy", "SIGKILL") and what(told[client][fault]) != what(str(outcome))
    }
    assert wrong == {}
