"""Carries an engine's requests over a bad line, once, and says how it went.

    carry.py FOLDER TRUST BASE_URL SEED [install CODE]

Each request meets a fate drawn from SEED: it arrives and is answered; it never leaves; it arrives
and its answer is lost; it arrives twice. A lost answer also ends the process at once, as a crash
would. Prints the fates met and the usage as one line of JSON; exit code 3 asks to be run again.
"""

import json
import os
import random
import sys
import urllib.error
import urllib.request

import mintreu

FATES = ["answered", "never sent", "answer lost", "sent twice"]


def post(base_url, request):
    call = urllib.request.Request(
        base_url + request.path,
        data=request.body,
        method=request.method,
        headers={"Content-Type": request.content_type},
    )
    try:
        with urllib.request.urlopen(call, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def carry(engine, base_url, luck):
    met = []
    while (request := engine.next_request()) is not None:
        fate = luck.choice(FATES)
        met.append(fate)
        if fate == "never sent":
            return met, 3
        status, body = post(base_url, request)
        if fate == "answer lost":
            return met, 3
        if fate == "sent twice":
            again = post(base_url, request)
            assert again[0] == status, (status, again)
            status, body = again
        engine.on_response(status, body)
    return met, 0


def main():
    folder, trust, base_url, seed = sys.argv[1:5]
    engine = mintreu.Engine(folder, trust=trust)
    if sys.argv[5:6] == ["install"]:
        engine.install(sys.argv[6])
    met, code = carry(engine, base_url, random.Random(int(seed)))
    usage = [
        {"meter": u.meter, "counted": u.counted, "acknowledged": u.acknowledged}
        for u in engine.usage()
    ]
    print(json.dumps({"fates": met, "usage": usage, "recovered": engine.recovered}), flush=True)
    # As a crash would: no destructor runs.
    os._exit(code)


main()
