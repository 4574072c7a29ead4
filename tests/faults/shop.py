"""A demo shop whose seller hands out redeem codes, and whose books can be looked into."""

import contextlib
import json
import os
import sqlite3
import subprocess
import urllib.request

PRODUCT, METER = "northbeam-translate", "characters"
SELLER = {"email": "tomasz@northbeam.example", "password": "look around freely"}


class Shop:
    def __init__(self, folder):
        self.folder = os.path.join(folder, "shop")
        command = [os.environ["MINTREU_BIN"], "--json", "demo", "--listen", "127.0.0.1:0"]
        self._server = subprocess.Popen(
            [*command, "--folder", self.folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.url = json.loads(self._server.stdout.readline())["url"]
        self.trust = self._ask(f"/v1/products/{PRODUCT}/trust")["trust"]

    def close(self):
        self._server.terminate()
        self._server.wait()

    def codes(self, count):
        if not count:
            return []
        token = self._ask("/v1/sessions", SELLER)["token"]
        headers = {"authorization": f"Bearer {token}", "idempotency-key": "faults"}
        made = self._ask(f"/v1/products/{PRODUCT}/licenses", {"count": count, "label": "faults"}, headers)
        return [code["code"] for code in made["codes"]]

    def billed(self, subject):
        """The units of one subject: what the books hold, and not what a device believes."""
        path = f"file:{os.path.join(self.folder, 'mintreu.db')}?mode=ro"
        with contextlib.closing(sqlite3.connect(path, uri=True, timeout=20)) as books:
            sum_up = "SELECT COALESCE(SUM(units + disputed_units), 0) FROM usage_total WHERE subject = ?"
            return books.execute(sum_up, [subject]).fetchone()[0]

    def _ask(self, path, body=None, headers=None):
        call = urllib.request.Request(
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json", **(headers or {})},
        )
        with urllib.request.urlopen(call, timeout=30) as answer:
            return json.load(answer)
