"""The service as a process: it serves, it is checked, it stops when told to, it refuses wrong settings."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import Iterator

import pytest
from power.healthcheck import check


def start(**variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "power"],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_healthy(process: subprocess.Popen[str], port: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while check(port):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, check(port)
        time.sleep(0.05)


def test_serves_and_stops_on_sigterm() -> None:
    port = free_port()
    process = start(POWER_VERSION="1.0.0", POWER_ENVIRONMENT="testing", POWER_PORT=str(port))
    try:
        wait_until_healthy(process, port, seconds=20)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert out.startswith(f"power: version 1.0.0 runs in testing on port {port}\n")


def test_refuses_to_start_with_wrong_settings() -> None:
    process = start(POWER_VERSION="1.0.0", POWER_ENVIRONMENT="testing", POWER_PRECISION="none")
    err = process.communicate(timeout=20)[1]
    assert process.returncode == 1
    assert err == "power: ERROR: POWER_PRECISION must be a whole number from 1 to 100, not 'none'\n"


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server on a free port of the loopback interface that answers every GET with this status."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "problem"), [(200, ""), (503, "/health answered 503")])
def test_healthcheck_reads_the_status(status: int, problem: str) -> None:
    with answering(status) as port:
        assert check(port) == problem


def test_healthcheck_needs_an_answer() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        port = taken.getsockname()[1]
        assert check(port).startswith(f"no answer from port {port}: ")
