# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State ran: a command in a container of its own, beside the one that serves."""

from __future__ import annotations

import os
import signal
import time

import pytest
from engine_helper import App

pytestmark = pytest.mark.lab


@pytest.fixture
def app(lab):
    made = App(lab, host="LAB_H2", port=18095)
    yield made
    made.clean()


def ran(app, *command, **more):
    """The app's own options, with another command."""
    return app.deploy(**{"state": "ran", "command": ["sh", "-c", *command], **more})


def test_it_has_image_and_settings_but_not_the_port_of_the_serving_container(app):
    assert app.deploy("1")["action"] == "created"
    result = ran(app, 'echo "migrating for $V with $TOKEN"', secret_env={"TOKEN": "sesame-ran"})
    assert (result["action"], result["changed"], result["run"]["exit_code"]) == ("ran", True, 0)
    assert result["run"]["logs"][0] == "migrating for 1 with ********"
    assert app.answer() == "1"
    assert app.ours() == {"": "running"}, "it was removed"


def test_check_mode_runs_nothing(app):
    result = ran(app, "echo hello", check_mode=True)
    assert (result["action"], result["changed"]) == ("ran", True)
    assert "run" not in result
    assert app.ours() == {}


def test_a_failure_says_what_was_said(app):
    result = ran(app, "echo no such table; exit 3", secret_env={"TOKEN": "table"})
    assert result["failed"]
    assert "ended with 3. Its last lines:\nno such ********" in result["msg"]
    assert result["run"]["exit_code"] == 3
    assert app.ours() == {}


def test_it_ends_by_its_deadline(app):
    result = ran(app, "echo begun; sleep 600", run_deadline="1s", init=True)
    assert "did not end within 1 s (run_deadline); it was stopped. Its last lines:\nbegun" in result["msg"]
    assert result["run"]["exit_code"] is None
    assert app.ours() == {}


def test_one_that_a_killed_run_left_is_waited_for_and_then_cleared_away(app):
    child = os.fork()
    if child == 0:
        try:
            ran(app, "sleep 4", init=False, stop_timeout="1s")
        finally:
            os._exit(0)
    until = time.monotonic() + 10
    while app.ours() != {".task": "running"} and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

    again = ran(app, "echo mine")
    assert again["failed"]
    assert "still runs there" in again["msg"]
    assert "Two at once are refused" in again["msg"]

    until = time.monotonic() + 10
    while app.ours() == {".task": "running"} and time.monotonic() < until:
        time.sleep(0.1)
    assert ran(app, "echo mine")["run"]["logs"] == ["mine"]
    assert app.ours() == {}


def test_a_strangers_container_of_that_name_is_left_alone(app):
    made = app.docker.create_container(app.image, ["true"], name=f"{app.name}.task")
    result = ran(app, "true")
    assert "is not Slipway's" in result["msg"]
    assert app.docker.inspect_container(made["Id"])


def test_a_wrong_deadline(app):
    assert "run_deadline" in ran(app, "true", run_deadline="0")["msg"]
