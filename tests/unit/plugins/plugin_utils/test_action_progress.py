# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who sees progress, and how the lines of a module on a target get here."""

from __future__ import annotations

import types

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible_collections.slipway.delivery.plugins.module_utils.common.progress import FILE_VARIABLE
from ansible_collections.slipway.delivery.plugins.plugin_utils import progress


@pytest.mark.parametrize(
    ("choice", "on_terminal", "wanted"),
    [("auto", True, True), ("auto", False, False), ("always", False, True), ("never", True, False)],
)
def test_somebody_has_to_watch(choice, on_terminal, wanted):
    assert progress.is_wanted(choice, on_terminal) is wanted


def test_another_choice_is_refused():
    with pytest.raises(AnsibleActionFail, match="slipway_progress is 'yes'; it takes auto, always, never"):
        progress.is_wanted("yes")


class Action:
    """As much of an action as is needed: each command is answered with the file as it is by then."""

    def __init__(self, answers):
        self._connection = types.SimpleNamespace()
        self._task = types.SimpleNamespace(environment=[{"A": "b"}])
        self._answers = answers
        self.commands = []

    def _low_level_execute_command(self, command, sudoable):
        assert sudoable
        self.commands.append(command)
        answer = self._answers.pop(0) if self._answers else "one\ntwo\nthree\n"
        if isinstance(answer, Exception):
            raise answer
        return {"stdout": answer}


def follow(monkeypatch, answers, until):
    shown = []
    monkeypatch.setattr(progress, "show", lambda host, line: shown.append((host, line)))
    action = Action(answers)
    with progress.ModuleProgress(action, "web1", first=0.01, every=0.01) as following:
        while not until(action, following):
            following._thread.join(0.01)
    return action, shown


def test_every_line_of_a_module_is_shown_once(monkeypatch):
    answers = ["", "one\n", "one\ntwo\n", "one\ntwo\n"]
    action, shown = follow(monkeypatch, answers, lambda action, _following: len(action.commands) > 6)
    assert shown == [("web1", "one"), ("web1", "two"), ("web1", "three")]
    given = action._task.environment
    assert given[0] == {"A": "b"}
    assert action.commands[0] == f"cat {given[1][FILE_VARIABLE]} 2>/dev/null"


def test_a_connection_that_fails_ends_the_lines_alone(monkeypatch):
    answers = ["one\n", AnsibleConnectionFailure("gone")]
    action, shown = follow(monkeypatch, answers, lambda _action, following: not following._thread.is_alive())
    assert shown == [("web1", "one")]
    assert len(action.commands) == 2
