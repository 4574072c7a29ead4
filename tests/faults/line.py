"""A bad line: an HTTP server on loopback that hurts what passes over it, by a script.

What arrives is given to `deliver`, which bills it and answers; what the line does before and after
is the fault. It strikes the first request and every third from there, so that a client that tries
again gets through; a slow line is slow once. The same script meets every client.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What the line does, by the name of the fault. What is not here happens to the process instead.
FAULTS = {
    "healthy": "nothing goes wrong; so it is known that every client's wire format is read right",
    "lost request": "the connection is cut before anything is applied",
    "lost response": "the request is applied, then the connection is cut",
    "duplicate": "the request is applied twice, as by a proxy that tries again",
    "503": "answered 503, and not applied",
    "429": "answered 429, and not applied",
    "truncated": "the request is applied, and the answer is cut in the middle",
    "slow": "the request is applied, and the first answer takes its time",
    "exit": "the program ends normally, right after it counted, with no other call",
    "SIGKILL": "the process is killed between two units, when half are counted",
    "offline": "the connection is refused until the program has ended",
}
REFUSALS = {"503": 503, "429": 429}
# What the services say beside the status, in one: some clients look for it.
REFUSED = {"title": "Refused", "detail": "Not now.", "message": "Not now.", "type": "api_error"}
AFTERWARDS = {"lost response", "truncated", "slow"}
ON_THE_LINE = {"lost request", "duplicate", *REFUSALS, *AFTERWARDS}


def refusal(status):
    error = {**REFUSED, "status": status}
    return json.dumps({"meta": {"requestId": "req_1"}, "error": error}).encode()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # A client that is killed in the middle of a request is one of the faults.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Line:
    """One line for one client: `fault` can change while it runs, and `None` mends it."""

    def __init__(self, deliver, fault, slow_seconds=1.0):
        self.deliver, self.fault, self.slow_seconds = deliver, fault, slow_seconds
        self.requests = self.struck = 0
        self._lock = threading.Lock()
        self._server = Server(("127.0.0.1", 0), self._handler(), bind_and_activate=False)
        # Bound and not listening: the port is taken, and whoever connects is refused.
        self._server.server_bind()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def open(self):
        self._server.server_activate()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def strikes(self):
        """The fault that the request which has just come meets, if any."""
        with self._lock:
            self.requests += 1
            turn = self.requests == 1 if self.fault == "slow" else self.requests % 3 == 1
            if self.fault not in ON_THE_LINE or not turn:
                return None
            self.struck += 1
            return self.fault

    def _handler(line):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                fault = line.strikes()
                if fault == "lost request":
                    return self.cut()
                if fault in REFUSALS:
                    return self.answer(REFUSALS[fault], "application/json", refusal(REFUSALS[fault]))
                answer = line.deliver(self.path, self.headers, body)
                if fault == "duplicate":
                    line.deliver(self.path, self.headers, body)
                if fault == "lost response":
                    return self.cut()
                if fault == "slow":
                    time.sleep(line.slow_seconds)
                return self.answer(*answer, whole=fault != "truncated")

            do_GET = do_POST

            def answer(self, status, kind, body, whole=True):
                self.send_response(status)
                if whole or body:
                    self.send_header("content-type", kind)
                    # Half of what was announced is never sent.
                    if status != 204:
                        self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body if whole else body[: len(body) // 2])
                else:
                    # Where there is no body to cut, the header ends in a field's name.
                    self._headers_buffer.append(b"content-ty")
                    self.flush_headers()
                if not whole:
                    self.cut()

            def cut(self):
                self.close_connection = True

        return Handler
