# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_container killed with SIGKILL after every step: something can always serve, and the next run puts it right.

The unit tests go through every order of deaths against an engine in memory; here a real engine confirms each step.
"""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.engine import steps
from engine_helper import GATE, App, killed_at
from faults_helper import eventually

pytestmark = pytest.mark.lab

# What a replacement with the image at hand goes through.
REPLACE = tuple(step for step in steps.SWAP if step != "pulled")
PROMOTED = ("promoted", "armed", "discarded")
ROLLBACK = steps.ROLLBACK + REPLACE[REPLACE.index("disarmed") :]
POLICY = "unless-stopped"


class Line:
    """An app with a line of versions: each test goes on from what the one before it left serving."""

    def __init__(self, app):
        self.app = app
        self.version = 0

    def deploy(self, version, **more):
        self.version = max(version, self.version)
        return self.app.deploy(f"v{version}.", **more)

    def fresh(self):
        """The number of a version that serves, just deployed, with the one before it kept."""
        for _turn in range(1 if self.app.ours().get("") == "running" else 2):
            self.version += 1
            assert not self.deploy(self.version).get("failed")
        return self.version

    def serves(self, version):
        """Whether that version answers; a container that was taken back is started, and answers a moment later."""
        return eventually(self.app.answer, 5) == f"v{version}."


@pytest.fixture(scope="module")
def line(lab):
    app = App(lab, port=18091)
    yield Line(app)
    app.clean()


@pytest.fixture
def app(lab):
    made = App(lab, port=18092)
    yield made
    made.clean()


def assert_startable(app, old):
    """A container that has passed its gate is there, the old one until the new one has the name; never two run."""
    there = {entry["Id"] for entry in app.docker.containers(all=True)}
    assert old in there or app.ours().get("") == "running"
    assert list(app.ours().values()).count("running") <= 1


def assert_settled(app, parts=("", ".previous")):
    """The current container serves and will be kept alive; the kept one is stopped and stays so."""
    assert app.ours() == {part: "exited" if part else "running" for part in parts}
    policies = {part: app.inspect(part)["HostConfig"]["RestartPolicy"]["Name"] for part in parts}
    assert policies == {part: "no" if part else POLICY for part in parts}


@pytest.mark.parametrize("step", REPLACE)
def test_the_same_run_again_finishes(line, step):
    good = line.fresh()
    old = line.app.inspect()["Id"]
    assert killed_at(step, lambda: line.deploy(good + 1))
    assert_startable(line.app, old)

    foretold = line.deploy(good + 1, check_mode=True)
    again = line.deploy(good + 1)

    assert not again.get("failed"), again
    assert (foretold["action"], foretold["diff"]) == (again["action"], again["diff"])
    assert again["action"] == {"promoted": "updated", "armed": "cleaned", "discarded": "none"}.get(step, "replaced")
    assert line.serves(good + 1)
    assert_settled(line.app)
    assert line.app.inspect(".previous")["Id"] == old
    assert line.deploy(good + 1)["action"] == "none"


@pytest.mark.parametrize("step", REPLACE)
def test_the_old_release_wanted_again_takes_it_back(line, step):
    good = line.fresh()
    old, kept = line.app.inspect()["Id"], line.app.inspect(".previous")["Id"]
    assert killed_at(step, lambda: line.deploy(good + 1))

    foretold = line.deploy(good, check_mode=True)
    again = line.deploy(good)
    line.version += 1

    assert not again.get("failed"), again
    assert (foretold["action"], foretold["diff"]) == (again["action"], again["diff"])
    assert again["action"] == ("replaced" if step in PROMOTED else "recovered")
    assert (line.app.inspect()["Id"] == old) == (step not in PROMOTED)
    assert line.serves(good)
    assert_settled(line.app)
    if step not in PROMOTED:
        assert line.app.inspect(".previous")["Id"] == kept, "as if nothing had been tried"
    assert line.deploy(good)["action"] == "none"


@pytest.mark.parametrize("step", ["pulled", "created", "joined", "started", "gated", "soaked", "promoted", "armed"])
def test_the_first_container(app, step):
    assert killed_at(step, lambda: app.deploy("1"))

    again = app.deploy("1")

    assert not again.get("failed"), again
    assert again["action"] == {"promoted": "updated", "armed": "none"}.get(step, "created")
    assert app.answer() == "1"
    assert_settled(app, [""])


@pytest.mark.parametrize("step", steps.REVERT)
def test_killed_while_going_back(line, step):
    good = line.fresh()
    old = line.app.inspect()["Id"]
    assert killed_at(step, lambda: line.deploy(good + 1, command=["sh", "-c", "exit 3"]))
    assert_startable(line.app, old)

    again = line.deploy(good)

    assert not again.get("failed"), again
    assert again["action"] == ("none" if step == "removed" else "recovered")
    assert line.serves(good)
    assert_settled(line.app)
    assert line.app.inspect()["Id"] == old


@pytest.mark.parametrize("step", steps.REVERT)
def test_killed_while_taking_an_interrupted_swap_back(line, step):
    good = line.fresh()
    old, kept = line.app.inspect()["Id"], line.app.inspect(".previous")["Id"]
    assert killed_at("retired", lambda: line.deploy(good + 1))
    assert killed_at(step, lambda: line.deploy(good))
    line.version += 1
    assert_startable(line.app, old)

    assert not line.deploy(good).get("failed")

    assert line.serves(good)
    assert_settled(line.app)
    assert (line.app.inspect()["Id"], line.app.inspect(".previous")["Id"]) == (old, kept)


@pytest.mark.parametrize("step", ROLLBACK)
def test_a_rollback_again_finishes(line, step):
    good = line.fresh()
    kept = line.app.inspect(".previous")["Id"]
    assert killed_at(step, line.app.back)

    again = line.app.back()

    assert not again.get("failed"), again
    assert again["action"] == {"promoted": "updated", "armed": "none", "discarded": "none"}.get(step, "rolled_back")
    assert not line.serves(good)
    assert line.app.inspect()["Id"] == kept
    assert_settled(line.app)


@pytest.mark.parametrize("step", ROLLBACK)
def test_an_interrupted_rollback_never_costs_the_kept_container(line, step):
    good = line.fresh()
    both = {line.app.inspect()["Id"], line.app.inspect(".previous")["Id"]}
    assert killed_at(step, line.app.back)

    again = line.deploy(good)

    assert not again.get("failed"), again
    assert line.serves(good)
    assert_settled(line.app)
    if step not in PROMOTED:
        assert {line.app.inspect()["Id"], line.app.inspect(".previous")["Id"]} == both


@pytest.mark.parametrize("step", ["created", "started", "soaked", "disarmed", "stopped", "retired", "promoted"])
def test_side_by_side(app, step):
    def deploy(version):
        return app.deploy(version, strategy="start_first", ports=["8080"])

    assert deploy("1")["action"] == "created"
    assert killed_at(step, lambda: deploy("2"))
    assert "running" in app.ours().values()  # never an outage

    again = deploy("2")

    assert not again.get("failed"), again
    assert app.inspect()["Config"]["Env"][0] == "V=2"
    assert_settled(app)


@pytest.mark.parametrize("state", ["stopped", "restarted", "absent"])
def test_other_states_after_a_kill(line, state):
    good = line.fresh()
    assert killed_at("started", lambda: line.deploy(good + 1))

    result = line.app.state(state, gate={**GATE, "http": {"port": 8080}} if state == "restarted" else {})
    line.version += 1

    assert not result.get("failed"), result
    assert (
        line.app.ours()
        == {
            "stopped": {"": "exited", ".previous": "exited"},
            "restarted": {"": "running", ".previous": "exited"},
            "absent": {},
        }[state]
    )


def test_steps_are_all_known(line):
    """A replacement tells of exactly the steps in the list that the tests go through, in that order."""
    line.fresh()
    told = []
    original = steps.step
    steps.step = told.append
    try:
        line.deploy(line.version + 1)
    finally:
        steps.step = original
    assert tuple(dict.fromkeys(told)) == steps.SWAP
