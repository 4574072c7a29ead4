"""Verifies a license where there is no network: offline.py LICENSE_FILE TRUST ADDRESS PORT."""

import json
import socket
import sys

import mintreu

path, trust, address, port = sys.argv[1:5]
try:
    socket.create_connection((address, int(port)), timeout=2).close()
    sys.exit("the network is not blocked, so this would prove nothing")
except OSError:
    pass
with open(path, encoding="utf-8") as file:
    license = mintreu.verify(file.read(), trust)
print(json.dumps({"id": license.id, "product": license.product, "code": license.verdict.code}))
