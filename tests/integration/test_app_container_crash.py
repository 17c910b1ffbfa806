# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_container killed with SIGKILL after every step: something can always serve, and the next run puts it right."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.engine import steps
from engine_helper import App, killed_at

pytestmark = pytest.mark.lab

# What a replacement with the image at hand goes through.
REPLACE = tuple(step for step in steps.SWAP if step != "pulled")
PROMOTED = ("promoted", "armed", "discarded")
POLICY = "unless-stopped"


@pytest.fixture
def app(lab):
    made = App(lab, "LAB_H4", port=18091)
    yield made
    made.clean()


@pytest.fixture
def serving(app):
    """Version 1 serves, and a version 0 is kept."""
    assert app.deploy("0")["action"] == "created"
    assert app.deploy("1")["action"] == "replaced"
    return app


def assert_startable(app, old):
    """A container that has passed its gate is there: the old one until the new one has the name."""
    there = {entry["Id"] for entry in app.docker.containers(all=True)}
    assert old in there or app.ours().get("") == "running"
    running = [name for name, state in app.ours().items() if state == "running"]
    assert len(running) <= 1  # a fixed port: never two


def assert_settled(app, version, parts=("", ".previous")):
    assert app.answer() == version
    states = app.ours()
    assert set(states) == set(parts)
    assert states[""] == "running"
    assert states.get(".previous", "exited") == "exited"
    assert app.inspect()["HostConfig"]["RestartPolicy"]["Name"] == POLICY
    if ".previous" in parts:
        assert app.inspect(".previous")["HostConfig"]["RestartPolicy"]["Name"] == "no"


@pytest.mark.parametrize("step", REPLACE)
def test_the_same_run_again_finishes(serving, step):
    old = serving.inspect()["Id"]
    assert killed_at(step, lambda: serving.deploy("2"))
    assert_startable(serving, old)

    foretold = serving.deploy("2", check_mode=True)
    again = serving.deploy("2")

    assert not again.get("failed"), again
    assert (foretold["action"], foretold["changed"]) == (again["action"], again["changed"])
    assert again["action"] == {"promoted": "updated", "armed": "none", "discarded": "none"}.get(step, "replaced")
    assert_settled(serving, "2")
    assert serving.inspect(".previous")["Id"] == old
    assert serving.deploy("2")["action"] == "none"


@pytest.mark.parametrize("step", REPLACE)
def test_the_old_release_wanted_again_takes_it_back(serving, step):
    old = serving.inspect()["Id"]
    assert killed_at(step, lambda: serving.deploy("2"))

    foretold = serving.deploy("1", check_mode=True)
    again = serving.deploy("1")

    assert not again.get("failed"), again
    assert (foretold["action"], foretold["diff"]) == (again["action"], again["diff"])
    assert again["action"] == ("replaced" if step in PROMOTED else "recovered")
    assert (serving.inspect()["Id"] == old) == (step not in PROMOTED)
    assert serving.answer() == "1"
    assert not {".next", ".restoring"} & set(serving.ours())
    assert serving.inspect()["HostConfig"]["RestartPolicy"]["Name"] == POLICY
    assert serving.deploy("1")["action"] == "none"


@pytest.mark.parametrize("step", ["created", "stopped", "started", "soaked", "retired", "promoted"])
def test_a_third_release_starts_from_the_last_good_one(serving, step):
    old = serving.inspect()["Id"]
    assert killed_at(step, lambda: serving.deploy("2"))

    third = serving.deploy("3")

    assert third["action"] == "replaced", third
    assert_settled(serving, "3")
    assert (serving.inspect(".previous")["Id"] == old) == (step != "promoted")


@pytest.mark.parametrize("step", ["pulled", "created", "joined", "started", "gated", "soaked", "promoted", "armed"])
def test_the_first_container(app, step):
    assert killed_at(step, lambda: app.deploy("1"))

    again = app.deploy("1")

    assert not again.get("failed"), again
    assert again["action"] == {"promoted": "updated", "armed": "none"}.get(step, "created")
    assert_settled(app, "1", parts=[""])


@pytest.mark.parametrize("step", steps.REVERT)
def test_killed_while_going_back(serving, step):
    old = serving.inspect()["Id"]
    bad = {"env": {"V": "broken"}}
    assert killed_at(step, lambda: serving.deploy("2", **bad))
    assert_startable(serving, old)

    again = serving.deploy("1")

    assert not again.get("failed"), again
    assert again["action"] == ("none" if step == "removed" else "recovered")
    assert_settled(serving, "1")
    assert serving.inspect()["Id"] == old


@pytest.mark.parametrize("step", steps.REVERT)
def test_killed_while_taking_an_interrupted_swap_back(serving, step):
    old = serving.inspect()["Id"]
    assert killed_at("retired", lambda: serving.deploy("2"))
    assert killed_at(step, lambda: serving.deploy("1"))
    assert_startable(serving, old)

    assert not serving.deploy("1").get("failed")

    assert serving.answer() == "1"
    assert serving.ours() == {"": "running"}  # version 0 went when version 2 had passed its gate
    assert serving.inspect()["Id"] == old
    assert serving.inspect()["HostConfig"]["RestartPolicy"]["Name"] == POLICY


ROLLBACK = steps.ROLLBACK + REPLACE[REPLACE.index("disarmed") :]


@pytest.mark.parametrize("step", ROLLBACK)
def test_a_rollback_again_finishes(serving, step):
    kept = serving.inspect(".previous")["Id"]
    assert killed_at(step, serving.back)

    again = serving.back()

    assert not again.get("failed"), again
    assert again["action"] == ("none" if step in PROMOTED else "rolled_back")
    assert serving.answer() == "0"
    assert serving.inspect()["Id"] == kept
    assert serving.ours() == {"": "running", ".previous": "exited"}


@pytest.mark.parametrize("step", ROLLBACK)
def test_an_interrupted_rollback_never_costs_the_kept_container(serving, step):
    kept, current = serving.inspect(".previous")["Id"], serving.inspect()["Id"]
    assert killed_at(step, serving.back)

    again = serving.deploy("1")

    assert not again.get("failed"), again
    assert serving.answer() == "1"
    if step not in PROMOTED:
        assert (serving.inspect()["Id"], serving.inspect(".previous")["Id"]) == (current, kept)
        assert_settled(serving, "1")


@pytest.mark.parametrize("step", REPLACE)
def test_side_by_side(app, step):
    def deploy(version):
        return app.deploy(version, strategy="start_first", ports=["8080"])

    assert deploy("1")["action"] == "created"
    assert killed_at(step, lambda: deploy("2"))

    again = deploy("2")

    assert not again.get("failed"), again
    assert app.inspect()["Config"]["Env"][0] == "V=2"
    assert app.ours() == {"": "running", ".previous": "exited"}
    assert deploy("2")["action"] == "none"


@pytest.mark.parametrize("step", ["retired", "promoted", "armed", "discarded"])
def test_without_a_kept_one(app, step):
    assert app.deploy("1")["action"] == "created"
    assert killed_at(step, lambda: app.deploy("2", keep_previous=False))

    assert not app.deploy("2", keep_previous=False).get("failed")

    assert_settled(app, "2", parts=[""])


@pytest.mark.parametrize("state", ["stopped", "restarted", "absent"])
@pytest.mark.parametrize("step", ["created", "started", "retired"])
def test_other_states_after_a_kill(serving, state, step):
    assert killed_at(step, lambda: serving.deploy("2"))

    result = serving.state(state, gate={"soak": "100ms", "interval": "50ms"})

    assert not result.get("failed"), result
    states = serving.ours()
    assert not {".next", ".restoring"} & set(states)
    assert states.get("") == {"stopped": "exited", "restarted": "running", "absent": None}[state]


def test_steps_are_all_known(serving):
    """Every step that a replacement tells of is in the list that the tests go through, in that order."""
    told = []
    original = steps.step
    steps.step = told.append
    try:
        serving.deploy("2")
    finally:
        steps.step = original
    assert tuple(dict.fromkeys(told)) == steps.SWAP
