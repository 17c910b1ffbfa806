# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Breaks things at a chosen instant of a real play: before or after a request to one engine, or before a task.

The workers are forked from the process that loads this, so what is put around Engine's methods here is in all of them.
"""

from __future__ import annotations

DOCUMENTATION = """
name: saboteur
type: aggregate
short_description: Breaks things at a chosen instant
description:
  - Reads the file that E(SLIPWAY_SABOTAGE) names, a list of acts. Each has C(run), a shell command, done once, at C(task), before
    the first task whose name begins so; or at C(method) of the engine that C(host) is in the address of, C(when) V(before) or
    V(after) it. With C(of) V(Nginx) it is a method of the edge's nginx. An act whose command fails fails the method too.
  - C(patience) in an act is how long a revert waits for an engine that does not answer, in seconds.
"""

import functools
import json
import os
import subprocess

from ansible.plugins.callback import CallbackBase
from ansible_collections.slipway.delivery.plugins.module_utils.edge.nginx import Nginx
from ansible_collections.slipway.delivery.plugins.module_utils.engine import swap
from ansible_collections.slipway.delivery.plugins.module_utils.engine.engine import Engine

TARGETS = {"Engine": Engine, "Nginx": Nginx}


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "saboteur"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._acts = []
        path = os.environ.get("SLIPWAY_SABOTAGE")
        if not path:
            return
        with open(path, encoding="utf-8") as stream:
            self._acts = json.load(stream)
        for number, act in enumerate(self._acts):
            act["mark"] = f"{path}.{number}"
            swap.REVERT_PATIENCE = act.get("patience", swap.REVERT_PATIENCE)
            if "method" in act:
                target = TARGETS[act.get("of", "Engine")]
                setattr(target, act["method"], surrounded(getattr(target, act["method"]), act))

    def v2_playbook_on_task_start(self, task, is_conditional):
        for act in self._acts:
            if "task" in act and task.get_name().rpartition(" : ")[2].startswith(act["task"]):
                perform(act)


def surrounded(method, act):
    @functools.wraps(method)
    def around(target, *args, **kwargs):
        there = act.get("host", "") in getattr(target, "host", "")
        if there and act.get("when") == "before":
            perform(act)
        result = method(target, *args, **kwargs)
        if there and act.get("when") == "after":
            perform(act)
        return result

    return around


def perform(act):
    """Once, over all workers."""
    try:
        os.mkdir(act["mark"])
    except FileExistsError:
        return
    null = subprocess.DEVNULL
    subprocess.run(act["run"], shell=True, check=True, stdin=null, stdout=null, stderr=null, timeout=120)
