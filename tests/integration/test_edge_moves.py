# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container changes places with another behind nginx under a steady load, forward and back, and no request fails.

The containers end at the first signal, so whatever is lost would be lost for want of draining. The load sends nothing twice.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from ansible_collections.slipway.delivery.plugins.filter.edge_server import edge_server
from ansible_collections.slipway.delivery.plugins.module_utils.edge.edge_upstream import EDGE_UPSTREAM
from edge_helper import SERVER
from engine_helper import GATE, App, call
from lab_command import layout
from load_helper import Load

pytestmark = pytest.mark.lab

PORT = 18096


def good(result):
    assert not result.get("failed"), result["msg"]
    return result


class Edge:
    """The lab's nginx, with one upstream of ours."""

    def __init__(self, lab):
        run = Path(lab["LAB_EDGE_PID"]).parent
        self.url = f"http://{lab['LAB_EDGE']}:{PORT}"
        self.options = {
            "name": "it-edge-moves",
            "conf_dir": lab["LAB_EDGE_CONF"],
            "pid_file": lab["LAB_EDGE_PID"],
            "nginx": f"nsenter --net=/run/netns/{layout.EDGE.namespace} nginx -c {run}/nginx.conf -p {run}",
            "listen": [f"{PORT} deferred"],
            "quiesce": "2500ms",
            "drain": "10s",
        }

    def task(self, **more):
        result = call(EDGE_UPSTREAM, **{**self.options, **more})
        assert not result.get("failed"), result["msg"]
        assert not result["warned"], result["warned"]
        return result

    def send(self, app, container, **more):
        """Requests of this host go to `container`; None takes the host out."""
        there = edge_server(container, app.host, app.address, 8080)
        return self.task(hosts=[app.host], servers=[there] if there else [], **more)

    def begin(self, app, **more):
        """Version 1 runs and has the requests; nobody asks yet, so nobody is waited for."""
        self.send(app, good(app.deploy("1", **wanted("1", **more)))["container"], quiesce="0s")


@pytest.fixture
def edge(lab):
    made = Edge(lab)
    made.task(state="absent")
    yield made
    made.task(state="absent", drain="0s")


@pytest.fixture
def apps(lab):
    made = [App(lab, host=host, port=18097) for host in ("LAB_H2", "LAB_H3")]
    for app in made:
        app.image = f"{app.registry}/base/python:3"
    yield made
    for app in made:
        app.clean()


def wanted(version, **more):
    return {
        "command": ["python3", "-c", SERVER],
        "env": {"VERSION": version},
        "gate": {**GATE, "deadline": "20s", "http": {"port": 8080, "body": f"{version} "}},
        **more,
    }


@contextlib.contextmanager
def no_request_fails(edge, versions):
    """Steady load, and then: none failed, every version has answered, and there was enough of it to tell."""
    with Load(edge.url, rate=60) as load:
        yield
    assert not load.failed
    assert load.requests > 500
    for mode in load.result.values():
        assert mode["slow"] > 5
        assert set(mode["versions"]) == set(versions)


def test_side_by_side_on_one_host(edge, apps):
    app = apps[0]
    beside = {"strategy": "start_first", "ports": ["8080"]}
    gate = {**GATE, "deadline": "20s", "http": {"port": 8080}}
    edge.begin(app, **beside)

    first = app.info()[0]
    with no_request_fails(edge, ["1", "2"]):
        edge.send(app, good(app.deploy("2", **wanted("2", **beside), hold=True))["container"])
        edge.send(app, first)  # taken back before it was confirmed
        assert good(app.state("rolled_back"))["container"]["id"] == first["id"]

        held = good(app.deploy("2", **wanted("2", **beside), hold=True))
        assert held["action"] == "held"
        assert edge.send(app, held["container"])["drained"][0]["connections"] == 0
        good(app.state("confirmed", gate=gate))

        back = good(app.back(strategy="start_first", hold=True))
        assert back["action"] == "held"
        assert edge.send(app, back["container"])["drained"][0]["connections"] == 0
        assert good(app.state("confirmed", gate=gate))["action"] == "confirmed"
    assert app.ours() == {"": "running", ".previous": "exited"}


def test_requests_are_lost_without_draining(edge, apps):
    """What the other tests rely on: this app loses its requests when it is just stopped, and the load notices."""
    app = apps[0]
    edge.begin(app)
    with Load(edge.url, rate=60) as load:
        good(app.deploy("2", **wanted("2")))
    assert set(load.failed) == {"keep-alive", "close"}
