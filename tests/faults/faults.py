"""Every client under every fault, and the table of what came of it.

    faults.py [short|whole [CLIENT|FAULT…]]     prints the table as Markdown
"""

import concurrent.futures
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bill import Bill, forward
from line import FAULTS, Line
from shop import Shop

HERE = Path(__file__).parent
SOME_FAULTS = ["healthy", "lost response", "503", "SIGKILL"]
WAITING = ["offline", "slow"]
# While offline a client may try again for long, for every unit: a few tell as much as many. A
# program that ends must leave more behind than one batch, or a queue has nothing to lose.
UNITS = {"offline": 3, "exit": 601}
FORMS = {"short": {"units": 12, "slow": 1.0}, "whole": {"units": 24, "slow": 12.0}}


@dataclass(frozen=True)
class Client:
    """A client: the driver's name for it, its language, its package."""

    name: str
    language: str
    package: str

    @property
    def version(self):
        if self.name == "control":
            return "-"
        if self.language == "Python":
            return importlib.metadata.version(self.package)
        peers = os.path.join(os.environ["NODE_TOOLS"], "node_modules")
        folder = os.environ["NODE_PATH"].split(":")[0] if self.ours else peers
        described = Path(folder, self.package, "package.json").read_text()
        return json.loads(described)["version"].lstrip("v")

    @property
    def ours(self):
        return self.name == "mintreu"

    @property
    def label(self):
        return f"{self.package} ({self.language})"

    def command(self):
        if self.language == "Python":
            return [sys.executable, str(HERE / "report.py"), self.name]
        return ["node", str(HERE / "report.cjs"), self.name]


CLIENTS = [
    Client("openmeter", "Python", "openmeter"),
    Client("openmeter", "Node", "@openmeter/sdk"),
    Client("lago", "Python", "lago-python-client"),
    Client("lago", "Node", "lago-javascript-client"),
    Client("stripe", "Python", "stripe"),
    Client("stripe", "Node", "stripe"),
    Client("unkey", "Node", "@unkey/api"),
    Client("amberflo", "Python", "amberflo-metering-python"),
    Client("control", "Python", "naive control"),
    Client("mintreu", "Python", "mintreu"),
    Client("mintreu", "Node", "mintreu"),
]


@dataclass
class Outcome:
    """What came of one client under one fault; `errors` are calls that told their caller."""

    counted: int
    errors: int
    lost: int
    doubled: int
    struck: int
    requests: int

    def __str__(self):
        parts = [(self.lost, "lost"), (self.doubled, "doubled")]
        words = [f"{number} {what}" for number, what in parts if number] or ["exact"]
        return ", ".join(words) + (f"; {self.errors} errors" if self.errors else "")


class Run:
    """All the scenarios of one form, with the shop that Mintreu's rows report to."""

    def __init__(self, form, names=()):
        self.units, self.slow = FORMS[form]["units"], FORMS[form]["slow"]
        self.scenarios = [
            (client, fault)
            for client in CLIENTS
            for fault in FAULTS
            if form == "whole" or client.name in ("mintreu", "control") or fault in SOME_FAULTS
            if not names or client.name in names or fault in names
        ]
        # Those that mostly wait begin first.
        self.scenarios.sort(key=lambda scenario: scenario[1] not in WAITING)

    def outcomes(self):
        with tempfile.TemporaryDirectory(prefix="mintreu-faults-") as folder:
            self.folder, self.shop = folder, Shop(folder)
            try:
                self.codes = self.shop.codes(sum(client.ours for client, _ in self.scenarios))
                with concurrent.futures.ThreadPoolExecutor(6) as pool:
                    return dict(zip(self.scenarios, pool.map(self.play, self.scenarios)))
            finally:
                self.shop.close()

    def play(self, scenario):
        client, fault = scenario
        subject = f"{client.name}-{client.language}-{fault}".replace(" ", "-").lower()
        folder, bill = os.path.join(self.folder, subject), Bill()
        deliver = forward(self.shop.url) if client.ours else bill.deliver
        line = Line(deliver, fault, self.slow)
        if client.ours:
            self.start(client, self.shop.url, folder, 0, code=self.codes.pop())
        if fault != "offline":
            line.open()
        started, counted, errors = self.count(client, fault, line.url, folder)
        if fault == "offline":
            line.open()
        # The program's next start, on a mended line: what is left on the disk is sent.
        line.fault = None
        self.start(client, line.url, folder, 0)
        line.close()
        lost, doubled = bill.judge(counted)
        if client.ours:
            billed = self.shop.billed(subject)
            lost, doubled = max(0, counted - billed), max(0, billed - started)
        outcome = Outcome(counted, errors, lost, doubled, line.struck, line.requests)
        print(f"{client.label:34} {fault:14} {outcome!r}", file=sys.stderr, flush=True)
        return outcome

    def count(self, client, fault, url, folder):
        """Counts under the fault; units started, units whose call returned or raised, raises."""
        ending = {"exit": "exit", "SIGKILL": "paced"}.get(fault, "end")
        units = UNITS.get(fault, self.units)
        process = self.begin(client, url, folder, units, ending)
        seen = b""
        if ending == "paced":
            process.stdin.write(b"." * (units // 2))
        while byte := process.stdout.read(1):
            seen += byte
            if ending == "paced" and seen.count(b"a") + seen.count(b"e") == units // 2:
                process.kill()
        process.stdin.close()
        process.wait()
        return seen.count(b"s"), seen.count(b"a") + seen.count(b"e"), seen.count(b"e")

    def start(self, client, url, folder, units, code=""):
        process = self.begin(client, url, folder, units, "end", code)
        process.communicate()
        assert process.returncode == 0, f"{client.label} ended with {process.returncode}"

    def begin(self, client, url, folder, units, ending, code=""):
        environment = {**os.environ, "FAULTS_TRUST": self.shop.trust, "FAULTS_CODE": code}
        with open(f"{folder}.log", "ab") as log:
            return subprocess.Popen(
                [*client.command(), url, folder, str(units), ending],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0, env=environment,
            )  # fmt: skip


def order(scenario):
    return CLIENTS.index(scenario[0])


def table(outcomes):
    """The rows as Markdown, one client a row."""
    faults = [fault for fault in FAULTS if fault != "healthy"]
    lines = ["| client | version | " + " | ".join(faults) + " |", "|---" * (len(faults) + 2) + "|"]
    for client in dict.fromkeys(client for client, _ in sorted(outcomes, key=order)):
        cells = [str(outcomes.get((client, fault), "")) for fault in faults]
        lines.append(f"| {client.label} | {client.version} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(Run(sys.argv[1] if sys.argv[1:] else "short", sys.argv[2:]).outcomes()))
