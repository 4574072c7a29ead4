"""Records one unit at a time until it is killed, and tells a witness.

    record.py FOLDER TRUST METER

Writes "s" before each record and "a" after it. What the witness has read bounds the truth from
both sides, however the process ends: acknowledged ≤ counted ≤ started.
"""

import os
import sys

import mintreu

folder, trust, name = sys.argv[1:4]
meter = mintreu.Engine(folder, trust=trust).meter(name)
while True:
    os.write(1, b"s")
    meter.record()
    os.write(1, b"a")
