"""A proxy on 127.0.0.1 before an object server, that loses replies, cuts connections and answers
with errors of its own, by a rule that the test gives."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Rule = Callable[[str, str], str]
"""Method and path of a request -> what becomes of it."""
PASS, DROP, RESET = "pass", "drop", "reset"
"""DROP: the server does what it was asked to, and nobody hears of it. RESET: it is never asked."""


class FaultProxy:
    """`rule` may be changed while the proxy runs; `seen` counts what became of the requests."""

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.rule: Rule = lambda method, path: PASS
        self.without: set[str] = set()
        """Headers that never reach the server."""
        self.hides_missing = False
        """Who asks for an object that is not there hears that he may not, as where a server takes
        the right to list for one to a prefix alone."""
        self.seen: Counter[str] = Counter()
        self.signed_by: set[str] = set()
        """Whose keys the requests were signed with."""
        self._lock = threading.Lock()
        self.endpoint = ""

    def decide(self, method: str, path: str) -> str:
        with self._lock:
            fate = self.rule(method, path)
            self.seen[fate] += 1
            self.seen[method] += 1
            return fate


def some(seed: int, *fates: str, share: float = 0.25) -> Rule:
    """Of all requests this share meets one of `fates`."""
    chance = random.Random(seed)
    return lambda method, path: chance.choice(fates) if chance.random() < share else PASS


@contextlib.contextmanager
def fault_proxy(target: str) -> Iterator[FaultProxy]:
    proxy = FaultProxy(target)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    proxy.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultProxy
    protocol_version = "HTTP/1.1"

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fate = self.proxy.decide(self.command, self.path)
        _, found, rest = self.headers.get("Authorization", "").partition("Credential=")
        self.proxy.signed_by.add(rest.partition("/")[0] if found else "")
        if fate.isdigit():
            self.send_response(int(fate))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if fate == RESET:
            self._cut()
            return
        status, headers, data = self._ask(body)
        if self.proxy.hides_missing and status == 404:
            status, headers, data = 403, [], b""
        if fate == DROP:
            self._cut()
            return
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        length = next((v for n, v in headers if n.lower() == "content-length"), str(len(data)))
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        target = self.proxy.target
        headers = {k: v for k, v in self.headers.items() if k.lower() not in self.proxy.without}
        connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=60)
        try:
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _cut(self) -> None:
        """The connection ends with a reset, not in good order."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _do

    def log_message(self, format: str, *args: object) -> None:
        return

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().handle()
