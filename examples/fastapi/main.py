"""An API of FastAPI whose customers have keys, limits and a bill.

    uvicorn main:app            decides in this process and counts into a folder
    MINTREU_TOKEN=mtsk_…         asks the server at MINTREU_SERVER about each key instead
"""

import os
from contextlib import asynccontextmanager

import mintreu
from fastapi import FastAPI, Request
from mintreu.asgi import Guard, RemoteGateway

METER = "api.calls"
SERVER, TOKEN = os.environ.get("MINTREU_SERVER"), os.environ.get("MINTREU_TOKEN")

# Where a program of yours asks its database: whose key is this, and what did they buy?
CUSTOMERS = {"key-of-ada": "free", "key-of-bob": "pro"}
PLANS = {
    "free": mintreu.Plan(limit=3, window="day", rate="20/second"),
    "pro": mintreu.Plan(limit=1_000_000, window="month"),
}

engine = None
if TOKEN:
    guard = {"gateway": RemoteGateway(SERVER, token=TOKEN, meter=METER)}
else:
    engine = mintreu.Engine.open(os.environ["MINTREU_FOLDER"], trust=os.environ["MINTREU_TRUST"])
    secret = bytes.fromhex(os.environ["MINTREU_SECRET"])
    gateway = mintreu.Gateway(engine, METER, secret=secret, plans=PLANS)
    guard = {"gateway": gateway, "plan": CUSTOMERS.get}


@asynccontextmanager
async def life(_: FastAPI):
    yield
    # What was counted goes to the server now and then, and at the end; a lost answer counts
    # nothing twice.
    if engine and SERVER:
        mintreu.sync(engine, SERVER)
    for cell in engine.usage() if engine else []:
        print(f"counted {cell.subject} {cell.counted}", flush=True)


app = FastAPI(lifespan=life)
app.add_middleware(Guard, **guard)


@app.get("/hello")
def hello(request: Request):
    answer = request.scope["mintreu"]
    return {"hello": answer.subject, "left": answer.remaining}
