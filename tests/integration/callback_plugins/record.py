# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes every task's whole result as a line of JSON to the file that SLIPWAY_RECORD names: what tests compare."""

from __future__ import annotations

DOCUMENTATION = """
name: record
type: aggregate
short_description: Keeps every result
description:
  - Appends C({task, result}) of every task on every host to the file that E(SLIPWAY_RECORD) names.
"""

import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    def _record(self, result, failed):
        answer = {**result._result, "failed": failed}
        line = json.dumps({"task": result._task.get_name(), "result": answer}, default=str)
        with open(os.environ["SLIPWAY_RECORD"], "a", encoding="utf-8") as record:
            record.write(line + "\n")

    def v2_runner_on_ok(self, result):
        self._record(result, failed=False)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._record(result, failed=True)

    def v2_runner_on_unreachable(self, result):
        self._record(result, failed=True)
