# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy before a registry that does what networks and overloaded servers do: refuse, break off, cut short, dawdle."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import struct
import threading
import time
import typing as t
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNK = 64 * 1024


@dataclass
class Fault:
    """What happens to the next `times` requests whose "METHOD /path" matches `pattern`. The first fault that fits counts.

    `status` answers in the registry's place, with `headers` and `body`. `reset` breaks the connection: "before" the registry hears of
    the request, or "after" it has done it. `cut` ends it after so many bytes of the answer, or breaks it after so many of an upload's body. `slow`
    waits so many seconds before each piece of the answer's body. `spoil` flips a bit of it. `then` is called beforehand.
    """

    pattern: str
    times: int = 1
    status: int = 0
    headers: t.Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    reset: str = ""
    cut: int = -1
    slow: float = 0.0
    spoil: bool = False
    then: t.Optional[t.Callable[[], None]] = None


@dataclass
class Seen:
    """One request as it came in."""

    line: str
    headers: t.Mapping[str, str]
    at: float  # seconds of a clock that only rises


@dataclass
class Proxy:
    """`host` is where it listens, `seen` the requests in their order."""

    upstream: str
    host: str = ""
    faults: t.List[Fault] = field(default_factory=list)
    seen: t.List[Seen] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, line: str) -> Fault:
        with self.lock:
            for fault in self.faults:
                if fault.times and re.search(fault.pattern, line):
                    fault.times -= 1
                    return fault
        return Fault("")

    def requests(self, pattern: str) -> t.List[Seen]:
        return [request for request in self.seen if re.search(pattern, request.line)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def __getattr__(self, name: str) -> t.Any:
        if name.startswith("do_"):
            return self.forward
        raise AttributeError(name)

    def log_message(self, *_arguments: t.Any) -> None:
        """Requests are kept in `seen`."""

    def forward(self) -> None:
        line = f"{self.command} {self.path}"
        with self.proxy.lock:
            self.proxy.seen.append(Seen(line, dict(self.headers), time.monotonic()))
        fault = self.proxy.fault(line)
        if fault.then:
            fault.then()
        if fault.status:
            self.refuse(fault)
        elif fault.reset == "before":
            self.break_off()
        else:
            self.relay(fault)

    def refuse(self, fault: Fault) -> None:
        self.read_body(lambda _piece: None)
        self.send_response(fault.status)
        for name, value in {"Content-Length": str(len(fault.body)), **fault.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(fault.body)

    def relay(self, fault: Fault) -> None:
        upstream = http.client.HTTPConnection(self.proxy.upstream, timeout=60)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders()
            limit = fault.cut if self.command in ("PUT", "PATCH") else -1
            if not self.read_body(upstream.send, limit):
                self.break_off()
                return
            answer = upstream.getresponse()
            if fault.reset == "after":
                answer.read()
                self.break_off()
                return
            self.answer(answer, fault)
        finally:
            upstream.close()

    def answer(self, answer: http.client.HTTPResponse, fault: Fault) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("date", "server", "connection", "transfer-encoding"):
                self.send_header(name, value)
        if answer.getheader("Content-Length") is None:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        left = fault.cut
        for piece in iter(lambda: b"" if self.command == "HEAD" else answer.read(CHUNK), b""):
            if fault.slow:
                time.sleep(fault.slow)  # dawdling is what is asked for
            if 0 <= left < len(piece):
                self.wfile.write(piece[:left])
                self.wfile.flush()
                self.close_connection = True
                return
            self.wfile.write(bytes([piece[0] ^ 1]) + piece[1:] if fault.spoil else piece)
            left -= len(piece) if fault.cut >= 0 else 0

    def read_body(self, take: t.Callable[[bytes], t.Any], limit: int = -1) -> bool:
        """The request's body to `take`; False when `limit` bytes of it were enough."""
        left = int(self.headers.get("Content-Length") or 0)
        taken = 0
        while left:
            piece = self.rfile.read(min(CHUNK, left))
            if not piece:
                raise ConnectionError("the client hung up")
            left -= len(piece)
            taken += len(piece)
            if 0 <= limit <= taken:
                return False
            take(piece)
        return True

    def break_off(self) -> None:
        """Close without a word; what is not yet read makes it a reset."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


@contextlib.contextmanager
def proxy(upstream: str) -> t.Iterator[Proxy]:
    """A proxy on loopback before `upstream`, plain HTTP on both sides."""
    found = Proxy(upstream)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": found}))
    server.daemon_threads = True
    found.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()
