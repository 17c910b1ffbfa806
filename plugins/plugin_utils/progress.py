# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress of long work in Ansible's output, wherever the work is done. Quiet when nobody watches a terminal."""

from __future__ import annotations

import copy
import secrets
import shlex
import sys
import threading
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.utils.display import Display

from ..module_utils.common.progress import FILE_VARIABLE, INTERVAL

CHOICES = ("auto", "always", "never")
POLL = 1.0  # seconds between two looks at a module's lines, the first of which comes no sooner than INTERVAL
# Asked where the controller loads this file, before it forks: its workers may have no terminal any more.
ON_TERMINAL = sys.stdout.isatty()


def is_wanted(choice: t.Any, on_terminal: bool = ON_TERMINAL) -> bool:
    """Whether lines are shown: the task variable `slipway_progress`, and for `auto` whether somebody watches."""
    if choice not in CHOICES:
        raise AnsibleActionFail(f"slipway_progress is {choice!r}; it takes {', '.join(CHOICES)}.")
    return on_terminal if choice == "auto" else bool(choice == "always")


def show(host: str, line: str) -> None:
    """One line, as Ansible shows its own."""
    Display().display(f"[{host}] {line}", color=C.COLOR_VERBOSE)


class ModuleProgress:
    """Follows a module process on a target: it writes lines to a file there, and a thread fetches and shows them.

    The thread has a connection of its own, a copy of the task's, so that the module's is not disturbed. The module makes the
    file when it has something to tell, and removes it; its name cannot be guessed. What is over before the first
    line is due costs nothing. Whatever goes wrong ends the lines and not the task.
    """

    def __init__(self, action: t.Any, host: str, first: float = INTERVAL, every: float = POLL) -> None:
        self._path = f"/tmp/.slipway-progress-{secrets.token_hex(16)}"
        action._task.environment = [*(action._task.environment or []), {FILE_VARIABLE: self._path}]
        self._reader = copy.copy(action)
        self._reader._connection = copy.copy(action._connection)
        self._host = host
        self._first = first
        self._every = every
        self._shown = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> ModuleProgress:
        self._thread.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._over.set()
        self._thread.join(self._first)

    def _follow(self) -> None:
        try:
            pause = self._first
            while not self._over.wait(pause):
                self._fetch()
                pause = self._every
        except (AnsibleError, OSError, ValueError) as error:
            Display().vvv(f"No more progress of the module: {error}", host=self._host)

    def _fetch(self) -> None:
        command = f"cat {shlex.quote(self._path)} 2>/dev/null"
        answer = self._reader._low_level_execute_command(command, sudoable=True)
        lines = str(answer.get("stdout") or "").splitlines()
        for line in lines[self._shown :]:
            show(self._host, line)
        self._shown = max(self._shown, len(lines))
