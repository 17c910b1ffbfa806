# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""edge_upstream with a real nginx of the test's own: what it refuses, what it is killed at, whom it waits for."""

from __future__ import annotations

import http.client
import http.server
import os
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.edge import files, nginx
from ansible_collections.slipway.delivery.plugins.module_utils.edge.edge_upstream import EDGE_UPSTREAM
from engine_helper import call

pytestmark = pytest.mark.lab

STEPS = ("noted", "written", "checked", "hushed", "loaded", "settled")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Backend(http.server.ThreadingHTTPServer):
    """Says its name; /hold waits until `go` is set. `held` is released once for each request that has come to wait."""

    request_queue_size = 64
    daemon_threads = True

    def __init__(self, name):
        self.name, self.go, self.held = name, threading.Event(), threading.Semaphore(0)
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def server(self):
        return {"host": self.name, "address": "127.0.0.1", "port": self.server_address[1], "release": 1}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/hold":
            self.server.held.release()
            self.server.go.wait(30)
        answer = self.server.name.encode() + body
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET

    def log_message(self, *_args):
        pass


class Edge:
    """An nginx in a folder, listening on a port that the upstream file names."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.conf_dir = folder / "conf.d"
        self.conf_dir.mkdir()
        self.conf = self.conf_dir / "prod-app.conf"
        self.config = folder / "nginx.conf"
        temps = "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        self.config.write_text(
            f"daemon off; user root; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/error.log notice;"
            "events { worker_connections 256; }"
            f"http {{ access_log off; {temps} include {self.conf_dir}/*.conf; }}"
        )
        self.process = subprocess.Popen(["nginx", "-c", self.config, "-p", folder], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not (folder / "nginx.pid").exists() or not (folder / "nginx.pid").read_text():
            assert time.monotonic() < deadline
            assert self.process.poll() is None, (folder / "error.log").read_text()
            time.sleep(0.02)

    def task(self, check_mode=False, **more):
        options = {
            "name": "prod-app",
            "conf_dir": str(self.conf_dir),
            "nginx": f"nginx -c {self.config} -p {self.folder}",
            "pid_file": str(self.folder / "nginx.pid"),
            "listen": [f"127.0.0.1:{self.port} deferred"],
            "drain": "10s",
        }
        return call(EDGE_UPSTREAM, check_mode, **{**options, **more})

    def good(self, **more):
        result = self.task(**more)
        assert not result.get("failed"), result["msg"]
        return result

    def ask(self, path="/", body=None, method="GET"):
        """The answer's text and whether the connection goes on."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return (text if response.status == 200 else str(response.status)), response.getheader("Connection")

    def names(self, times=8):
        return {self.ask()[0] for _turn in range(times)}

    def left(self):
        return sorted(entry.name for entry in self.conf_dir.iterdir())

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        finally:
            self.process.kill()


@pytest.fixture
def edge(tmp_path):
    made = Edge(tmp_path)
    yield made
    made.end()


@pytest.fixture
def backends():
    made = [Backend("a"), Backend("b")]
    yield made
    for backend in made:
        backend.go.set()
        backend.shutdown()
        backend.server_close()


SETTLED = [".slipway.lock", "prod-app.conf"]


def test_requests_go_where_the_file_says(edge, backends):
    a, b = (backend.server for backend in backends)
    foretold = edge.task(check_mode=True, servers=[a])
    assert edge.left() == []
    first = edge.good(servers=[a])
    assert (first["changed"], first["reloaded"], first["diff"]) == (True, True, foretold["diff"])
    assert edge.names() == {"a"}

    edge.good(servers=[b], hosts=["b"])
    assert edge.names() == {"a", "b"}
    again = edge.good(servers=[b], hosts=["b"])
    assert (again["changed"], again["reloaded"]) == (False, False)

    out = edge.good(servers=[], hosts=["a"])
    assert edge.names() == {"b"}
    assert [(entry["port"], entry["connections"]) for entry in out["drained"]] == [(a["port"], 0)]

    last = edge.good(servers=[], hosts=["b"])
    assert (last["changed"], last["kept"]) == (False, ["b"])
    assert "nothing else would answer" in last["warned"][0]
    edge.good(servers=[], hosts=["b"], keep_last=False)
    assert edge.names(1) == {"502"}

    edge.good(servers=[a, b])
    edge.good(servers=[], hosts=[], all_hosts=["b"])
    assert edge.names() == {"b"}
    assert edge.left() == SETTLED
    edge.good(state="absent")
    assert edge.left() == [".slipway.lock"]


def test_what_nginx_refuses_is_never_left(edge, backends):
    a, b = (backend.server for backend in backends)
    edge.good(servers=[a])
    good = edge.conf.read_text()
    refused = edge.task(servers=[a, b], server_lines=["no_such_directive on;"])
    assert refused["failed"]
    assert 'unknown directive "no_such_directive"' in refused["msg"]
    assert "as it was before" in refused["msg"]
    assert "no_such_directive" in refused["diff"]["after"]
    assert (edge.conf.read_text(), edge.left()) == (good, SETTLED)
    assert edge.names() == {"a"}

    edge.good(state="absent")
    assert edge.task(servers=[a], server_lines=["no_such_directive on;"])["failed"]
    assert edge.left() == [".slipway.lock"]


def test_what_nginx_accepts_and_then_does_not_take_goes_back(edge, backends, monkeypatch):
    """A port that somebody else holds passes the check, and fails when the running nginx wants it."""
    monkeypatch.setattr(nginx, "TAKE_LIMIT", 4.0)  # nginx itself tries to bind for 2.5 seconds
    a, b = (backend.server for backend in backends)
    edge.good(servers=[a])
    good = edge.conf.read_text()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        result = edge.task(servers=[b], listen=[f"127.0.0.1:{edge.port} deferred", taken])
    assert result["failed"]
    assert "goes on with the configuration it had" in result["msg"]
    assert (edge.conf.read_text(), edge.left()) == (good, SETTLED)
    assert edge.names() == {"a"}


def test_an_nginx_that_does_not_run_gets_no_file(edge, backends):
    edge.end()
    result = edge.task(servers=[backends[0].server])
    assert result["failed"]
    assert "does nginx run" in result["msg"]
    assert not edge.conf.exists()


KILLS = [(step, then) for step in STEPS for then in ("the same", "another")]


@pytest.mark.parametrize(("step", "then"), [*KILLS, ("written", "refused"), ("loaded", "refused")])
def test_killed_at_any_step_the_next_run_puts_it_right(edge, backends, step, then):
    a, b = (backend.server for backend in backends)
    edge.good(servers=[a])
    child = os.fork()
    if child == 0:
        files.step = lambda reached: os.kill(os.getpid(), signal.SIGKILL) if reached == step else None
        try:
            edge.task(servers=[b], hosts=["b"], quiesce="10ms")
        finally:
            os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert {"a"} <= edge.names() <= {"a", "b"}  # whatever was in the middle, nginx serves

    if then == "refused":
        assert edge.task(servers=[b], hosts=["b"], server_lines=["no_such_directive on;"])["failed"]
        assert "no_such_directive" not in edge.conf.read_text()
    if then == "another":
        edge.good(servers=[], hosts=["b"])
        assert edge.names() == {"a"}
    foretold = edge.task(check_mode=True, servers=[b], hosts=["b"])
    real = edge.good(servers=[b], hosts=["b"])
    assert foretold["changed"] == real["changed"] == (then == "another" or step != "settled")
    assert edge.names() == {"a", "b"}
    assert edge.left() == SETTLED
    assert not edge.good(servers=[b], hosts=["b"])["changed"]


def test_a_refused_file_that_a_kill_left_in_place_is_taken_out(edge, backends):
    a, b = (backend.server for backend in backends)
    edge.good(servers=[a])
    child = os.fork()
    if child == 0:
        files.step = lambda reached: os.kill(os.getpid(), signal.SIGKILL) if reached == "written" else None
        try:
            edge.task(servers=[b], server_lines=["no_such_directive on;"])
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert "no_such_directive" in edge.conf.read_text()
    edge.good(servers=[b], hosts=["b"])
    assert edge.names() == {"a", "b"}
    assert edge.left() == SETTLED


def test_requests_in_flight_are_waited_for(edge, backends):
    a, b = backends
    edge.good(servers=[a.server, b.server])
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(edge.ask, "/hold") for _turn in range(6)]
        for backend in backends:
            assert backend.held.acquire(timeout=10)
        b.go.set()
        out = pool.submit(edge.good, servers=[], hosts=["a"])
        time.sleep(0.5)
        assert not out.done()  # a request is still with the one that leaves
        a.go.set()
        assert out.result(20)["drained"][0]["connections"] == 0
        assert {answer.result(20)[0] for answer in asked} == {"a", "b"}


def test_the_wait_ends_by_its_deadline(edge, backends):
    a, b = backends
    edge.good(servers=[a.server, b.server])
    b.go.set()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(edge.ask, "/hold") for _turn in range(4)]
        assert a.held.acquire(timeout=10)
        out = edge.good(servers=[], hosts=["a"], drain="500ms")
        assert out["drained"][0]["connections"] >= 1
        assert "cut off" in out["warned"][0]
        # Asked again, the connections that a run before this one did not wait for are waited for.
        again = pool.submit(
            edge.good, servers=[], hosts=["a"], leaving=[{"address": "127.0.0.1", "port": a.server["port"]}]
        )
        time.sleep(0.3)
        assert not again.done()
        a.go.set()
        assert again.result(20)["drained"][0]["connections"] == 0
        assert {answer.result(20)[0] for answer in asked} <= {"a", "b"}


def test_before_a_reload_clients_are_told(edge, backends):
    """While nginx is quiet, every answer ends its connection, a body comes through, and afterwards all is as before."""
    a, b = (backend.server for backend in backends)
    edge.good(servers=[a])
    assert edge.ask()[1] == "keep-alive"
    with ThreadPoolExecutor(1) as pool:
        moved = pool.submit(edge.good, servers=[b], quiesce="1s")
        deadline = time.monotonic() + 10
        while not (edge.conf_dir / ".slipway.quiet").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert edge.ask("/", "posted", "POST") == ("aposted", "close")
        moved.result(20)
    assert edge.ask("/", "posted", "POST") == ("bposted", "keep-alive")
    assert edge.left() == SETTLED


def test_hosts_of_a_batch_at_the_same_time(edge, backends):
    """Six processes change one host each; none undoes another's."""
    a = backends[0].server
    edge.good(servers=[a])
    children = []
    for number in range(6):
        child = os.fork()
        if child == 0:
            try:
                result = edge.task(servers=[{**a, "host": f"host-{number}"}], hosts=[f"host-{number}"])
                os._exit(1 if result.get("failed") else 0)
            finally:
                os._exit(2)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
    assert {entry["host"] for entry in edge.good(servers=[], hosts=[])["servers"]} == {
        "a",
        *(f"host-{n}" for n in range(6)),
    }
    assert edge.names() == {"a"}


def test_without_a_pid_file_the_command_reloads(edge, backends):
    edge.good(servers=[backends[0].server])
    command = f"nginx -c {edge.config} -p {edge.folder} -s reload"
    moved = edge.good(servers=[backends[1].server], pid_file="", reload=command, drain="500ms")
    assert moved["drained"][0]["connections"] is None
    assert edge.names() == {"b"}
    failed = edge.task(servers=[backends[0].server], pid_file="", reload="false", drain="0s")
    assert "exit code 1" in failed["msg"]
    assert edge.names() == {"b"}
