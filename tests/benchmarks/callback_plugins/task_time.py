# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes how long each task took over all hosts, as a line of JSON to the file that SLIPWAY_TIMES names."""

from __future__ import annotations

DOCUMENTATION = """
name: task_time
type: aggregate
short_description: Keeps how long each task took
description:
  - Appends C({task, seconds, changed, failed}) of every task to the file that E(SLIPWAY_TIMES) names.
  - A task lasts from its start to the last host's result.
"""

import json
import os
import time

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_time"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._task = None

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._write()
        self._task = {"task": task.get_name(), "changed": 0, "failed": 0, "start": time.monotonic(), "end": 0.0}

    def v2_runner_on_ok(self, result):
        self._task["changed"] += bool(result._result.get("changed"))
        self._task["end"] = time.monotonic()

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._task["failed"] += 1
        self._task["end"] = time.monotonic()

    def v2_playbook_on_stats(self, stats):
        self._write()

    def _write(self):
        if self._task is None:
            return
        seconds = self._task.pop("end") - self._task.pop("start")
        with open(os.environ["SLIPWAY_TIMES"], "a", encoding="utf-8") as times:
            times.write(json.dumps({**self._task, "seconds": seconds}) + "\n")
        self._task = None
