# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes against servers that this test runs, and where a port is reached from here."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import time

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ParameterError, SlipwayError
from ansible_collections.slipway.delivery.plugins.module_utils.engine import probes
from ansible_collections.slipway.delivery.plugins.module_utils.engine.actual import Container
from ansible_collections.slipway.delivery.plugins.module_utils.engine.gate import GateSpec, HttpCheck
from fake_engine import FakeEngine


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        code = int(self.path[1:4])
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/200")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.answer()

    def answer(self):
        if "endless" in self.path:
            while True:
                self.wfile.write(b"x" * 10000)
        if "trickle" in self.path:
            while True:
                self.wfile.write(b"x")
                time.sleep(0.02)
        if "silent" in self.path:
            time.sleep(2)
        self.wfile.write(f"version 1.4.2 for {self.headers.get('Host')}".encode())

    def log_message(self, *_args):
        """Nothing on the test's output."""


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.daemon_threads = True
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made.server_address
        made.shutdown()


def ask(server, timeout=1.0, **check):
    return probes.HttpProbe(HttpCheck(server[1], **check), server)(timeout)


def test_http(server):
    found = ask(server, path="/200/health")
    assert (found.ok, found.status, found.said) == (True, 200, "answered 200")
    assert found.probe == f"http GET http://127.0.0.1:{server[1]}/200/health"
    assert "version 1.4.2" in found.body


def test_http_status(server):
    found = ask(server, path="/503")
    assert (found.ok, found.status, found.said) == (False, 503, "answered 503, wanted 200")
    assert "version" in found.body
    assert ask(server, path="/204", status=(200, 204)).ok


def test_http_follows_no_redirect(server):
    assert ask(server, path="/302").status == 302


def test_http_body(server):
    assert ask(server, path="/200", body="1.4.2").ok
    found = ask(server, path="/200", body="1.4.3")
    assert (found.ok, found.said) == (False, "answered 200 without '1.4.3' in the body")


def test_http_headers(server):
    assert ask(server, path="/200", headers=(("Host", "shop.example.com"),), body="for shop.example.com").ok


@pytest.mark.parametrize("path", ["/200/endless", "/200/trickle"])
def test_http_reads_only_so_much_and_so_long(server, path):
    began = time.monotonic()
    assert ask(server, timeout=0.5, path=path).ok
    assert time.monotonic() - began < 1.5


def test_http_silence(server):
    found = ask(server, timeout=0.3, path="/200/silent")
    assert not found.ok


def test_nobody_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = free.getsockname()
    assert ask(where).said == "connection refused"
    assert probes.TcpProbe(where)(1.0).said == "Connection refused"


def test_tls_where_there_is_none(server):
    assert not ask(server, scheme="https", path="/200").ok


def test_tcp(server):
    assert probes.TcpProbe(server)(1.0).ok


def test_a_proxy_of_the_environment_is_not_used(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert ask(server, path="/200").ok


# --- where a port is reached ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host_ip", "engine", "seen"),
    [
        ("0.0.0.0", "10.0.0.11", "10.0.0.11"),
        ("::", "10.0.0.11", "10.0.0.11"),
        ("", None, "127.0.0.1"),
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "localhost", "127.0.0.1"),
        ("127.0.0.1", "10.0.0.11", None),
        ("::1", "10.0.0.11", None),
        ("10.1.0.5", "10.0.0.11", "10.1.0.5"),
    ],
)
def test_seen_from_here(host_ip, engine, seen):
    assert probes.seen_from_here(host_ip, engine) == seen


def container(bindings=(), mode="bridge", networks=None):
    ports = {"8080/tcp": [{"HostIp": ip, "HostPort": str(port)} for ip, port in bindings] or None}
    return Container(
        {
            "Id": "c" * 64,
            "HostConfig": {"NetworkMode": mode},
            "NetworkSettings": {"Ports": ports, "Networks": {n: {"IPAddress": a} for n, a in (networks or {}).items()}},
        }
    )


@pytest.mark.parametrize(
    ("made", "address", "expected"),
    [
        (container([("0.0.0.0", 80)]), "", ("engine", 80)),
        (container([("127.0.0.1", 80), ("10.0.0.9", 81)]), "", ("10.0.0.9", 81)),
        (container(mode="host"), "", ("engine", 8080)),
        (container(mode="lan", networks={"bridge": "172.17.0.2", "lan": "10.5.0.2"}), "", ("10.5.0.2", 8080)),
        (container([("127.0.0.1", 80)]), "10.0.0.7", ("10.0.0.7", 8080)),
        (container([("0.0.0.0", 80)]), "10.0.0.7", ("10.0.0.7", 80)),
        (container(), "10.0.0.7:99", ("10.0.0.7", 99)),
        (container(), "[fd00::1]:99", ("fd00::1", 99)),
        (container(), "[fd00::1]", ("fd00::1", 8080)),
        (container(), "fd00::1", ("fd00::1", 8080)),
    ],
)
def test_target(made, address, expected):
    spec = GateSpec(http=HttpCheck(8080), address=address)
    assert probes.target(spec, "gate.http.port", 8080, FakeEngine(), made) == expected


@pytest.mark.parametrize(
    "made", [container(), container([("127.0.0.1", 80)]), container(networks={"app-net": "10.5.0.2"})]
)
def test_no_target(made):
    with pytest.raises(ParameterError, match=r"gate\.tcp\.port: port 8080 of the container cannot be reached"):
        probes.target(GateSpec(tcp_port=8080), "gate.tcp.port", 8080, FakeEngine(), made)


def test_build_makes_every_probe():
    spec = GateSpec(http=HttpCheck(8080), tcp_port=8080, command=("true",))
    made = probes.build(spec, FakeEngine(), container([("0.0.0.0", 80)]))
    assert [type(probe).__name__ for probe in made] == ["TcpProbe", "HttpProbe", "ExecProbe"]


# --- commands -------------------------------------------------------------------------------------------------------------


def frame(text, stream=1):
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


@pytest.mark.parametrize(
    ("raw", "payload"),
    [
        (b"", b""),
        (frame(b"one\n") + frame(b"two", 2), b"one\ntwo"),
        (frame(b"one\n") + frame(b"cut off")[:-4], b"one\ncut"),
        (frame(b"one") + b"\x01\x00", b"one"),
    ],
)
def test_demultiplexed(raw, payload):
    assert probes.demultiplexed(raw) == payload


@pytest.mark.parametrize(
    ("answer", "ok", "said"),
    [
        ((0, "fine"), True, "exit code 0"),
        ((2, "no db"), False, "exit code 2"),
        ((None, "waiting"), False, "did not end within 1s"),
    ],
)
def test_exec(monkeypatch, answer, ok, said):
    monkeypatch.setattr(probes, "run_in", lambda *_args: answer)
    found = probes.ExecProbe(["check", "--db"], FakeEngine(), "c" * 64)(1.0)
    assert (found.ok, found.said, found.body, found.probe) == (ok, said, answer[1], "exec check")


def test_exec_that_the_engine_refuses(monkeypatch):
    def refuse(*_args):
        raise SlipwayError("no such file: check")

    monkeypatch.setattr(probes, "run_in", refuse)
    assert probes.ExecProbe(["check"], FakeEngine(), "c" * 64)(1.0).said == "no such file: check"
