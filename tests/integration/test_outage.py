# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Without an edge a stop_first swap has an outage: it is reported, and somebody outside has seen no more of it than that."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from engine_helper import App

pytestmark = pytest.mark.lab

ROUNDING = 0.005  # seconds; each of the timings is rounded to the millisecond


class Prober:
    """Asks the port all the time, from a thread. `down` is how long it has certainly been closed: from the end of the first
    question that failed to the beginning of the last one."""

    def __init__(self, address, port):
        self.where, self.failures, self.answers = (address, port), [], 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(0.005):
            began = time.monotonic()
            if self._asked():
                self.answers += 1
            else:
                self.failures.append((began, time.monotonic()))

    def _asked(self):
        try:
            with socket.create_connection(self.where, timeout=5) as connection:
                connection.settimeout(5)
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return b" 200 " in connection.recv(100)
        except OSError:
            return False

    @property
    def down(self):
        return self.failures[-1][0] - self.failures[0][1] if self.failures else 0.0


@pytest.fixture
def app(lab):
    made = App(lab, host="LAB_H3", port=18099)
    yield made
    made.clean()


def assert_told(prober, timings):
    assert prober.answers
    assert prober.failures  # there was an outage to be seen
    assert prober.down <= timings["outage"] + ROUNDING
    assert 0 < timings["outage"] <= timings["stop"] + timings["start"] + timings["gate"] + ROUNDING


def test_a_deployment_and_the_way_back(app):
    slow = ["sh", "-c", 'mkdir -p /www; echo "$V" >/www/index.html; sleep 1; exec httpd -f -p 8080 -h /www']
    assert app.deploy("1")["action"] == "created"
    with Prober(app.address, app.port) as prober:
        result = app.deploy("2", command=slow)
    assert result["action"] == "replaced"
    assert_told(prober, result["timings"])
    assert prober.down > 0.5  # it took a second to begin

    with Prober(app.address, app.port) as prober:
        result = app.back()
    assert result["action"] == "rolled_back"
    assert_told(prober, result["timings"])


def test_a_release_that_fails_counts_until_the_old_one_answers(app):
    assert app.deploy("1")["action"] == "created"
    with Prober(app.address, app.port) as prober:
        result = app.deploy("2", command=["sh", "-c", "sleep 60"], stop_timeout="1s")
    assert result["action"] == "reverted"
    assert prober.failures
    assert prober.answers
    assert prober.down <= result["timings"]["outage"] + ROUNDING
    assert app.answer() == "1"
